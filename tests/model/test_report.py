"""The rows of a report."""

from __future__ import annotations

from fleetsweep.model.checkup import Checkup
from fleetsweep.model.decision import Guard, GuardName
from fleetsweep.model.host import Host
from fleetsweep.model.report import HostReport
from fleetsweep.model.survey import Status
from tests.report.build import plan

HOST = Host("a", "a")
OWN, PLANNED = Guard(GuardName.IDENTITY, "own"), Guard(GuardName.CAP, "planned")


def test_a_row_is_guarded_by_its_own_guard_before_its_plans() -> None:
    guarded = HostReport(HOST, Status.GUARDED, plan=plan("a", guard=PLANNED), guard=OWN)
    assert guarded.guarded_by is OWN


def test_a_row_without_a_guard_of_its_own_has_its_plans() -> None:
    assert HostReport(HOST, Status.GUARDED, plan=plan("a", guard=PLANNED)).guarded_by is PLANNED


def test_a_row_without_any_guard_has_none() -> None:
    assert HostReport(HOST, Status.OK, plan=plan("a")).guarded_by is None
    assert HostReport(HOST, Status.UNREACHABLE).guarded_by is None


def test_a_checkup_of_a_host_that_was_not_reached_has_no_measurements() -> None:
    found = Checkup(HOST, Status.UNREACHABLE, {})
    assert (found.engine, found.containers, found.skew_s, found.round_trip_s, found.command) == (*[None] * 4, "")
