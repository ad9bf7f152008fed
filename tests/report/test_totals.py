"""Counting hosts and fleets."""

from __future__ import annotations

from dataclasses import asdict, replace

from hypothesis import given

from fleetsweep.model.decision import Reason
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.report import FleetReport
from fleetsweep.model.survey import Status
from fleetsweep.report import fleet_totals, host_totals
from fleetsweep.report.totals import HostTotals
from tests.report.build import (
    DAY_S,
    candidates,
    container,
    decision,
    duplicate,
    fleet,
    guarded,
    lost,
    report,
    surveyed,
)
from tests.report.hostile import reports


def test_unmatched_containers_are_counted_among_the_containers_only() -> None:
    totals = host_totals(surveyed("a", candidates("ws", 2), others=5))
    assert (totals.containers, totals.matched, totals.stale) == (7, 2, 2)


def test_each_outcome_has_its_own_count() -> None:
    host = surveyed("a", candidates("ws", 7))
    outcomes = (*Outcome, Outcome.REMOVED, Outcome.REMOVED)
    assert host.plan is not None
    removals = tuple(
        Removal(d.container.id, outcome) for d, outcome in zip(host.plan.candidates, outcomes, strict=True)
    )
    totals = host_totals(replace(host, removals=removals))
    assert (totals.removed, totals.gone, totals.changed, totals.failed_removals, totals.unknown) == (*(3, 1, 1, 1, 1),)


def test_the_oldest_is_the_oldest_candidate_not_the_oldest_container() -> None:
    protected = decision(container("ws-kept", age_s=9 * DAY_S), Reason.PROTECTED, age_s=9 * DAY_S)
    host = surveyed("a", (protected, *candidates("ws", 2, age_s=3 * DAY_S), *candidates("x", 1)))
    assert host_totals(host).oldest_s == 3 * DAY_S
    assert host_totals(surveyed("b", (protected,))).oldest_s is None


def test_a_container_of_unknown_age_is_counted_as_such_and_not_as_stale() -> None:
    totals = host_totals(surveyed("a", (decision(container(), Reason.UNKNOWN_AGE, age_s=None),)))
    assert (totals.matched, totals.stale, totals.unknown_age) == (1, 0, 1)


def test_a_guarded_host_still_shows_what_it_found() -> None:
    assert host_totals(guarded("a", candidates("ws", 3))).stale == 3


def test_a_host_that_was_not_surveyed_counts_nothing() -> None:
    assert host_totals(lost("a")) == HostTotals()


def test_one_engine_under_two_names_is_counted_once() -> None:
    swept = surveyed("a", candidates("ws", 4), others=2, outcome=Outcome.REMOVED)
    once, twice = fleet_totals(report(swept)), fleet_totals(report(swept, duplicate("b", swept)))
    assert twice.counts == once.counts
    assert twice.hosts == 2


def test_every_status_has_a_count() -> None:
    totals = fleet_totals(fleet())
    assert totals.statuses == {
        Status.OK: 3,
        Status.UNREACHABLE: 1,
        Status.GUARDED: 2,
        Status.FAILED: 1,
        Status.INTERRUPTED: 0,
    }


@given(reports)
def test_the_fleet_is_the_sum_of_its_hosts(made: FleetReport) -> None:
    totals = fleet_totals(made)
    rows = [asdict(host_totals(host)) for host in made.hosts]
    for name, value in asdict(totals.counts).items():
        if name != "oldest_s":
            assert value == sum(row[name] for row in rows), name
    oldest = [row["oldest_s"] for row in rows if row["oldest_s"] is not None]
    assert totals.counts.oldest_s == (max(oldest) if oldest else None)
    assert sum(totals.statuses.values()) == totals.hosts == len(made.hosts)
