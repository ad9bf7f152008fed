"""A library is imported without what it does not need, and that can still be imported afterwards."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fleetsweep.runtime.lean_imports import stand_in, stand_ins


def test_an_import_in_the_block_finds_the_stand_in_and_one_after_it_the_real_module() -> None:
    code = """
import sys
from fleetsweep.runtime.lean_imports import stand_in, stand_ins
with stand_ins({"colorsys": stand_in("colorsys", ours=True), "sched": None}):
    import colorsys
    assert colorsys.ours
    try:
        import sched
        raise SystemExit("sched was found")
    except ImportError:
        pass
import colorsys, sched
assert colorsys.rgb_to_hsv and sched.scheduler
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_loaded_module_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = stand_in("loaded_before")
    monkeypatch.setitem(sys.modules, "loaded_before", loaded)
    with stand_ins({"loaded_before": None}):
        assert sys.modules["loaded_before"] is loaded
    assert sys.modules["loaded_before"] is loaded
