"""The interpreter's settings."""

from __future__ import annotations

import gc
import sys

from fleetsweep.runtime.interpreter import tune


def test_a_run_collects_cycles_and_switches_threads_less_often_than_python_does() -> None:
    thresholds, interval = gc.get_threshold(), sys.getswitchinterval()
    try:
        tune()
        assert gc.get_threshold()[0] > thresholds[0]
        assert sys.getswitchinterval() > interval
    finally:
        gc.set_threshold(*thresholds)
        sys.setswitchinterval(interval)
