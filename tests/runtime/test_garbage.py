"""Reference cycles of many hosts."""

from __future__ import annotations

import gc
import weakref

import pytest

from fleetsweep.runtime import garbage
from fleetsweep.runtime.garbage import CycleCollector


class Knot:
    """An object that refers to itself."""

    def __init__(self) -> None:
        self.me = self


def test_cycles_are_collected_after_so_many_hosts_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "HOSTS", 3)
    collector = CycleCollector()
    gc.disable()
    try:
        left = weakref.ref(Knot())
        for _ in range(2):
            collector.host_ended()
        assert left() is not None
        collector.host_ended()
        assert left() is None
    finally:
        gc.enable()
