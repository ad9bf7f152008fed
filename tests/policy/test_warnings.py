"""Warnings of runs that succeed and are of no use, from the report and the past of its hosts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetsweep.model.decision import Guard, GuardName
from fleetsweep.model.outcome import Outcome
from fleetsweep.model.past_hosts import LastMatch, OpenLeak, PastOfHosts
from fleetsweep.model.report import FleetReport
from fleetsweep.policy.warnings import IDLE_RUNS, MATCH_KEPT_NS, fleet_warnings
from tests.report.build import NOW_NS, candidates, container_id, duplicate, guarded, lost, report, surveyed

NOTHING = PastOfHosts({}, {}, {})


def matches(**hosts: tuple[int, int]) -> PastOfHosts:
    """The past of hosts that match nothing: the unmatched containers then, and the runs since."""
    return PastOfHosts({name: LastMatch(NOW_NS - 1, others, runs) for name, (others, runs) in hosts.items()}, {}, {})


def leaks(host: str, runs: int, sweeps: int, *names: str) -> PastOfHosts:
    return PastOfHosts({}, {host: {container_id(name): OpenLeak(runs, sweeps) for name in names}}, {})


def found(made: FleetReport, past: PastOfHosts, *, looked: bool = True) -> list[tuple[str, str | None, int]]:
    return [(each.kind.value, each.host, each.runs) for each in fleet_warnings(made, past, looked=looked)]


@pytest.mark.parametrize(
    ("containers", "earlier_runs", "warned"),
    [
        (3, 0, False),  # the first run: jobs may just have ended
        (3, 1, True),
        (2, 1, False),  # as many unmatched containers as before
        (0, 1, False),  # an idle box
        (0, IDLE_RUNS - 2, False),
        (0, IDLE_RUNS - 1, True),
        (3, IDLE_RUNS + 9, True),
    ],
)
def test_a_host_without_a_match_is_reported_sooner_where_other_containers_came(
    containers: int, earlier_runs: int, warned: bool
) -> None:
    made = report(surveyed("a", others=containers))
    expected = [("matches-nothing", "a", earlier_runs + 1)] if warned else []
    assert found(made, matches(a=(2, earlier_runs))) == expected
    assert found(made, matches(a=(2, earlier_runs)), looked=False) == []


def test_a_host_with_fewer_containers_than_then_hides_no_renamed_ones_of_another() -> None:
    made = report(surveyed("a", others=3), surveyed("b", others=0))
    assert ("matches-nothing", None, 2) in found(made, matches(a=(2, 1), b=(9, 1)))


def test_a_host_that_never_matched_or_last_did_long_ago_or_matches_now_is_not_reported() -> None:
    made = report(surveyed("a", others=9), surveyed("b", candidates("ws", 1)), lost("c"))
    assert found(made, NOTHING) == []
    long_ago = PastOfHosts({"a": LastMatch(NOW_NS - MATCH_KEPT_NS - 1, 0, 99)}, {}, {})
    assert found(made, long_ago) == []
    assert found(made, matches(b=(0, 99), c=(0, 99))) == []


def test_the_fleet_is_reported_where_no_host_matches_any_more() -> None:
    past = matches(a=(2, 1), b=(5, 4))
    hosts = (surveyed("a", others=2), surveyed("b", others=5), surveyed("never", others=7))
    assert found(report(*hosts), past) == []
    renamed = (replace(hosts[0], plan=replace(hosts[0].plan, containers=4)), *hosts[1:])  # type: ignore[type-var]
    assert found(report(*renamed), past) == [("matches-nothing", None, 2), ("matches-nothing", "a", 2)]
    one_matches = (*renamed[:2], surveyed("never", candidates("ws", 1)))
    assert found(report(*one_matches), past) == [("matches-nothing", "a", 2)]
    (fleet, _) = fleet_warnings(report(*renamed), past)
    assert fleet.message == (
        "no container on any host has matched for 2 runs, and before that some did; "
        "2 more containers than then match no selector"
    )


def test_another_hosts_engine_counts_for_no_host() -> None:
    empty = surveyed("a", others=9)
    assert found(report(duplicate("b", of=empty)), matches(b=(0, 30))) == []


def test_what_three_sweeps_did_not_remove_is_reported() -> None:
    stuck = surveyed("a", candidates("ws", 2), outcome=Outcome.FAILED)
    past = leaks("a", 2, 2, "ws-0", "ws-1", "ws-gone-by-now")
    (warning,) = fleet_warnings(report(stuck), past)
    assert (warning.kind, warning.runs) == ("not-removed", 3)
    assert warning.message == "2 stale containers are still there after 3 sweeps"
    assert found(report(stuck, dry_run=True), past) == []
    assert found(report(stuck, dry_run=True), leaks("a", 3, 3, "ws-0")) == [("not-removed", "a", 3)]
    assert found(report(stuck), leaks("a", 1, 1, "ws-0")) == []
    assert found(report(surveyed("a", candidates("ws", 2), outcome=Outcome.REMOVED)), past) == []


def test_what_audits_alone_saw_for_a_day_is_reported() -> None:
    seen = report(surveyed("a", candidates("ws", 1)), command="audit")
    assert found(seen, leaks("a", 22, 0, "ws-0")) == []
    assert found(seen, leaks("a", 23, 0, "ws-0")) == [("not-removed", "a", 24)]
    assert found(seen, leaks("a", 50, 1, "ws-0")) == []


def test_a_guard_that_tripped_three_times_in_a_row_is_reported_and_not_also_what_it_kept() -> None:
    made = report(guarded("a", candidates("ws", 3)), exit_code=4)
    past = replace(leaks("a", 9, 9, "ws-0"), guarded={"a": 2})
    assert found(made, past) == [("guard-repeats", "a", 3)]
    assert found(made, replace(past, guarded={"a": 1})) == []
    assert found(made, past, looked=False) == [("guard-repeats", "a", 3)]


def test_a_guard_of_the_fleet_is_reported_of_the_fleet() -> None:
    cap = Guard(GuardName.FLEET_CAP, "many", 1, 2)
    made = report(surveyed("a", candidates("ws", 3)), guard=cap, exit_code=4)
    past = replace(leaks("a", 9, 9, "ws-0"), guarded={"a": 2})
    assert found(made, past) == [("guard-repeats", None, 3)]
