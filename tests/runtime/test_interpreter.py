"""The interpreter's settings."""

from __future__ import annotations

import gc
import sys

from fleetsweep.runtime.interpreter import tune


def test_a_run_collects_cycles_and_switches_threads_less_often_than_python_does() -> None:
    thresholds, interval = gc.get_threshold(), sys.getswitchinterval()
    try:
        # Another test may have run the program in this process. These are Python's own.
        gc.set_threshold(700, 10, 10)
        sys.setswitchinterval(0.005)
        tune()
        assert gc.get_threshold()[0] > 700
        assert sys.getswitchinterval() > 0.005
    finally:
        gc.set_threshold(*thresholds)
        sys.setswitchinterval(interval)
