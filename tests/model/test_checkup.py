"""The result of checking one host."""

from __future__ import annotations

from fleetsweep.model.checkup import Checkup
from fleetsweep.model.host import Host
from fleetsweep.model.survey import Status


def test_a_host_that_was_not_reached_has_no_engine_and_no_clock() -> None:
    checkup = Checkup(Host("a", "192.0.2.1"), Status.UNREACHABLE, {})
    assert (checkup.engine, checkup.containers, checkup.skew_s, checkup.round_trip_s) == (None, None, None, None)
