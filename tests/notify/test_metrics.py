"""Metrics: unknown values are absent, and the last success outlives failures."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from fleetsweep.model.journal import Counters, LastSuccesses
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.report import FleetReport, FleetWarning, WarningKind
from fleetsweep.notify.metrics import (
    HOST_SUCCESS,
    NEVER_SEEN,
    NOTHING_KNOWN,
    RUN_SUCCESS,
    EarlierSuccesses,
    Known,
    registry,
)
from tests.report.build import NOW_NS, candidates, guarded, lost, report, surveyed

END_S = (NOW_NS + 12_300_000_000) / 10**9


def samples(
    made: FleetReport, earlier: EarlierSuccesses | None = None, known: Known = NOTHING_KNOWN
) -> dict[tuple[str, ...], float]:
    """Every sample by its metric and its labels' values, the command left out."""
    text = generate_latest(registry(made, earlier or {}, known)).decode()
    return {
        (sample.name, *(value for label, value in sample.labels.items() if label != "command")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_surveyed_host_has_its_counts_and_its_success() -> None:
    found = samples(report(surveyed("a", candidates("ws", 2), others=3, outcome=Outcome.REMOVED)))
    assert found["fleetsweep_host_containers", "a"] == 5
    assert found["fleetsweep_host_removed_containers", "a"] == 2
    assert found["fleetsweep_host_status", "a", "ok"] == 1
    assert found["fleetsweep_host_status", "a", "failed"] == 0
    assert found[HOST_SUCCESS, "a"] == found[RUN_SUCCESS,] == END_S


def test_a_host_that_was_not_surveyed_has_no_counts() -> None:
    found = samples(report(lost("a"), exit_code=3))
    assert {key[0] for key in found if key[1:2] == ("a",)} == {
        "fleetsweep_host_status",
        "fleetsweep_host_duration_seconds",
        "fleetsweep_host_exit_code",
    }
    assert (RUN_SUCCESS,) not in found
    assert found["fleetsweep_run_exit_code",] == 3


def test_a_success_is_kept_while_its_host_fails_and_when_a_run_has_no_hosts() -> None:
    earlier = {(HOST_SUCCESS, "sweep", "a"): 5.0, (HOST_SUCCESS, "audit", "a"): 6.0, (RUN_SUCCESS, "sweep", ""): 7.0}
    for failed in (report(lost("a"), exit_code=3), report(exit_code=2)):
        found = samples(failed, earlier)
        assert (found[HOST_SUCCESS, "a"], found[RUN_SUCCESS,]) == (5.0, 7.0)


def test_metrics_that_last_beyond_a_number_are_still_written() -> None:
    found = samples(report(replace(surveyed("a", skew_s=float("inf")), duration_s=float("nan"))))
    assert found["fleetsweep_host_clock_skew_seconds", "a"] == float("inf")


def test_what_a_sweep_left_is_counted_apart_from_what_it_found() -> None:
    left = surveyed("a", candidates("ws", 3))
    assert left.plan is not None
    gone = Removal(left.plan.candidates[0].container.id, Outcome.REMOVED, None)
    found = samples(report(replace(left, removals=(gone,)), surveyed("b", candidates("x", 1), outcome=Outcome.REMOVED)))
    assert found["fleetsweep_host_stale_containers", "a"] == 3
    assert found["fleetsweep_host_remaining_stale_containers", "a"] == 2
    assert found["fleetsweep_host_oldest_remaining_stale_age_seconds", "a"] == 2 * 86_400
    assert found["fleetsweep_host_remaining_stale_containers", "b"] == 0
    assert ("fleetsweep_host_oldest_remaining_stale_age_seconds", "b") not in found


def test_a_guard_refreshes_no_success() -> None:
    stopped = report(guarded("a", candidates("ws", 3)), exit_code=4)
    found = samples(stopped, {(HOST_SUCCESS, "sweep", "a"): 5.0, (RUN_SUCCESS, "sweep", ""): 6.0})
    assert (found[HOST_SUCCESS, "a"], found[RUN_SUCCESS,]) == (5.0, 6.0)
    assert found[NEVER_SEEN, "a"] == 0
    assert found["fleetsweep_host_exit_code", "a"] == 4


@pytest.mark.parametrize(
    ("journal", "earlier", "expected"),
    [
        (LastSuccesses(None, {}), {}, 1),
        (LastSuccesses(None, {}, frozenset({"a"})), {}, 0),
        (LastSuccesses(None, {}), {(HOST_SUCCESS, "sweep", "a"): 5.0}, 0),
        (None, {}, None),
    ],
)
def test_a_host_that_no_run_ever_surveyed_has_a_series_to_alert_on(
    journal: LastSuccesses | None, earlier: EarlierSuccesses, expected: int | None
) -> None:
    found = samples(report(lost("a"), surveyed("b"), exit_code=3), earlier, Known(journal))
    assert found.get((NEVER_SEEN, "a")) == expected
    assert found[NEVER_SEEN, "b"] == 0


def test_counters_are_the_journals_and_begin_with_0() -> None:
    known = Known(None, Counters({"runs": 9, "failed_runs": 2}, {"leaks": {"a": 4, "left the inventory": 1}}))
    found = samples(report(surveyed("a"), surveyed("b")), known=known)
    totals: dict[tuple[str, ...], float] = {key: value for key, value in found.items() if key[0].endswith("_total")}
    expected: dict[tuple[str, ...], float] = {
        (f"fleetsweep_host_{name}_total", host): 4 if (name, host) == ("leaks", "a") else 0
        for name in ("guards", "failures", "leaks", "removals")
        for host in "ab"
    }
    assert totals == expected | {("fleetsweep_runs_total",): 9, ("fleetsweep_failed_runs_total",): 2}
    assert not any(key[0].endswith("_total") for key in samples(report(surveyed("a"))))


def test_warnings_are_0_or_1_for_each_kind_and_absent_where_none_was_looked_for() -> None:
    warnings = tuple(FleetWarning(WarningKind.MATCHES_NOTHING, host, "m", 2, "r") for host in (None, "a"))
    made = replace(report(surveyed("a"), surveyed("b")), warnings=warnings)
    known = Known(None, Counters({}, {}))
    found = {key: value for key, value in samples(made, known=known).items() if key[0].endswith("_warning")}
    assert {key for key, value in found.items() if value} == {
        ("fleetsweep_fleet_warning", "matches-nothing"), ("fleetsweep_host_warning", "a", "matches-nothing")
    }  # fmt: skip
    assert len(found) == 3 * len(WarningKind)
    for without in (samples(made), samples(replace(made, command="teardown"), known=known)):
        assert not any(key[0].endswith("_warning") for key in without)
