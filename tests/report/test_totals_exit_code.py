"""The exit code: the first row of the table that applies."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from fleetsweep.model.decision import Guard, GuardName, Reason
from fleetsweep.model.outcome import Outcome
from fleetsweep.model.report import HostReport
from fleetsweep.model.survey import Status
from fleetsweep.report import exit_code
from tests.report.build import candidates, container, decision, duplicate, guarded, lost, surveyed

CLEAN = surveyed("clean", others=3)
STALE = surveyed("stale", candidates("ws-stale", 2))
REMOVED = surveyed("removed", candidates("ws-removed", 2), outcome=Outcome.REMOVED)
GONE = surveyed("gone", candidates("ws-gone", 2), outcome=Outcome.GONE)
CHANGED = surveyed("changed", candidates("ws-changed", 2), outcome=Outcome.CHANGED)
FAILED = surveyed("failed", candidates("ws-failed", 2), outcome=Outcome.FAILED)
UNKNOWN = surveyed("unknown", candidates("ws-unknown", 2), outcome=Outcome.UNKNOWN)
DOUBTFUL = surveyed("doubtful", (decision(container("ws-odd"), Reason.UNKNOWN_AGE, age_s=None),))
UNREADABLE = surveyed("unreadable", (replace(decision(container("ws-odd"), Reason.UNREADABLE), detail="busy"),))
IN_USE = surveyed("in-use", (replace(decision(container("ws-odd"), Reason.IN_USE), detail="by ws-young"),))
UNREACHABLE = lost("unreachable")
UNUSABLE = lost("unusable", Status.FAILED)
INTERRUPTED = lost("interrupted", Status.INTERRUPTED)
GUARDED = guarded("guarded", candidates("ws-guarded", 3))
BUG = lost("bug", Status.FAILED, bug=True)
FLEET_CAP = Guard(GuardName.FLEET_CAP, "15 candidates are more than the fleet cap of 10", 10, 15)


def code(
    *hosts: HostReport,
    guard: Guard | None = None,
    fail_on_stale: bool = False,
    stopped_by: int | None = None,
) -> int:
    return exit_code(hosts, guard, fail_on_stale=fail_on_stale, stopped_by=stopped_by)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (CLEAN, 0),
        (STALE, 0),
        (REMOVED, 0),
        (GONE, 0),
        (CHANGED, 0),
        (FAILED, 5),
        (UNKNOWN, 5),
        (DOUBTFUL, 3),
        (UNREADABLE, 3),
        (IN_USE, 0),
        (UNREACHABLE, 3),
        (UNUSABLE, 3),
        (INTERRUPTED, 3),
        (GUARDED, 4),
        (BUG, 1),
    ],
    ids=lambda value: value.host.name if isinstance(value, HostReport) else str(value),
)
def test_one_host_alone_gives_its_own_code(host: HostReport, expected: int) -> None:
    assert code(host) == expected
    assert code(CLEAN, host, CLEAN) == expected


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ((BUG, STALE, UNREACHABLE, FAILED, GUARDED), 4),
        ((BUG, STALE, UNREACHABLE, FAILED), 5),
        ((BUG, STALE, UNREACHABLE), 3),
        ((BUG, STALE, DOUBTFUL), 3),
        ((BUG, STALE), 6),
        ((BUG, CLEAN), 1),
        ((CLEAN, REMOVED), 0),
    ],
)
def test_the_first_that_applies_wins_in_any_order_of_hosts(hosts: tuple[HostReport, ...], expected: int) -> None:
    assert code(*hosts, fail_on_stale=True) == expected
    assert code(*reversed(hosts), fail_on_stale=True) == expected


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_comes_before_everything(number: int, expected: int) -> None:
    assert code(GUARDED, FAILED, UNREACHABLE, BUG, guard=FLEET_CAP, stopped_by=number) == expected


def test_a_fleet_guard_counts_although_every_host_is_ok() -> None:
    assert code(STALE, guard=FLEET_CAP) == 4


def test_a_guard_of_the_plan_alone_counts_too() -> None:
    assert code(replace(GUARDED, guard=None, status=Status.OK)) == 4


@pytest.mark.parametrize(
    ("host", "expected"),
    [(CLEAN, 0), (STALE, 6), (REMOVED, 0), (GONE, 0), (CHANGED, 6)],
    ids=lambda value: value.host.name if isinstance(value, HostReport) else str(value),
)
def test_stale_containers_count_while_they_may_still_be_there(host: HostReport, expected: int) -> None:
    assert code(host, fail_on_stale=True) == expected


def test_a_container_that_the_sweep_did_not_reach_is_still_stale() -> None:
    half = replace(REMOVED, removals=REMOVED.removals[:1])
    assert code(half, fail_on_stale=True) == 6


def test_a_bug_on_one_host_hides_no_other_hosts_failure() -> None:
    assert code(BUG, UNREACHABLE) == 3


def test_a_second_name_for_an_engine_is_a_guard() -> None:
    assert code(REMOVED, duplicate("again", REMOVED)) == 4
