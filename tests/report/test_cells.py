"""The cells of the table and the Markdown report."""

from __future__ import annotations

import re

import pytest

from fleetsweep.model.container import SECOND
from fleetsweep.model.decision import Guard, GuardName, Reason
from fleetsweep.model.report import FleetReport
from fleetsweep.report import humanize, render
from fleetsweep.report.cells import fine_seconds, iso_utc
from tests.report.build import (
    DAY_S,
    HOUR_S,
    NOW_NS,
    candidates,
    container,
    decision,
    guarded,
    lost,
    report,
    surveyed,
)


def cells(made: FleetReport, name: str) -> list[str]:
    """One row's cells, split where the table leaves a gap of two."""
    row = next(line for line in render(made, "table").splitlines() if line.startswith(name))
    return re.split(r"  +", row)


def removed(made: FleetReport, name: str) -> str:
    return cells(made, name)[5]


def below(made: FleetReport, *, verbose: bool = False) -> list[str]:
    """The lines under the totals."""
    text = render(made, "table", verbose=verbose)
    lines = text.splitlines()
    return lines[next(i for i, line in enumerate(lines) if line.startswith("TOTAL")) + 2 :]


def test_an_audit_has_a_dash_for_removed_and_no_0() -> None:
    made = report(surveyed("box", candidates("ws", 2)), command="audit")
    assert removed(made, "box") == removed(made, "TOTAL") == "-"


def test_a_dry_run_counts_what_it_would_remove() -> None:
    hosts = (
        surveyed("box", candidates("ws", 2)),
        guarded("full", candidates("x", 3)),
        lost("off"),
    )
    made = report(*hosts, dry_run=True)
    assert [removed(made, name) for name in ("box", "full", "off", "TOTAL")] == [
        *("would 2", "would 0", "-", "would 2"),
    ]


def test_under_a_fleet_guard_a_dry_run_would_remove_nothing() -> None:
    guard = Guard(GuardName.FLEET_CAP, "2 candidates are more than the fleet cap of 1", 1, 2)
    made = report(surveyed("box", candidates("ws", 2)), dry_run=True, guard=guard)
    assert removed(made, "box") == removed(made, "TOTAL") == "would 0"
    assert below(made) == ["fleet: guarded (fleet-cap): 2 candidates are more than the fleet cap of 1"]


def test_an_old_container_that_restarts_has_its_restarts_and_its_creation_as_details() -> None:
    restarting = container("ws-loop", age_s=30, created_age_s=9 * DAY_S, restarts=65)
    text = render(report(surveyed("box", (decision(restarting, Reason.YOUNG, age_s=30),))), "table", verbose=True)
    assert "65 restarts, created 9d ago" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0s"),
        (45.9, "45s"),
        (59, "59s"),
        (60, "1m"),
        (125, "2m5s"),
        (HOUR_S, "1h"),
        (2 * HOUR_S + 600, "2h10m"),
        (HOUR_S + 1, "1h"),
        (3 * DAY_S, "3d"),
        (2 * DAY_S + 1, "2d"),
        (DAY_S + 5 * HOUR_S, "1d5h"),
        (-31_536_000, "-365d"),
        (-0.4, "0s"),
        (float("nan"), "-"),
        (float("inf"), "-"),
    ],
)
def test_a_duration_has_at_most_two_units(seconds: float | None, text: str) -> None:
    assert humanize(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.0s"), (-0.04, "0.0s"), (0.41, "0.4s"), (-1.25, "-1.2s"), (12.9, "12s"), (-301, "-5m1s")],
)
def test_a_short_time_shows_tenths(seconds: float, text: str) -> None:
    assert fine_seconds(seconds) == text


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (NOW_NS, "2026-06-15T07:00:00Z"),
        (NOW_NS + SECOND - 1, "2026-06-15T07:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (-62_135_596_800 * SECOND, "0001-01-01T00:00:00Z"),
        (10**40, "beyond the calendar"),
    ],
)
def test_a_time_is_in_utc_to_the_second(time_ns: int, text: str) -> None:
    assert iso_utc(time_ns) == text
