"""The table: what an operator reads."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from fleetsweep.model.container import SECOND
from fleetsweep.model.decision import Guard, GuardName, Reason
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.report import FleetReport
from fleetsweep.model.survey import Status
from fleetsweep.report import humanize, render
from fleetsweep.report.cells import fine_seconds, iso_utc
from fleetsweep.report.problems import LINES_A_HOST
from tests.report.build import (
    DAY_S,
    HOUR_S,
    NOW_NS,
    candidates,
    container,
    container_id,
    decision,
    fleet,
    guarded,
    lost,
    report,
    surveyed,
)

FLEET_TABLE = """\
HOST      STATUS       CONTAINERS  MATCHED  STALE  REMOVED  OLDEST  SKEW  TIME  NOTE
------------------------------------------------------------------------------------------------
runner-1  ok                   21       14     13       13      3d  0.2s  0.4s
runner-2  ok                    1        1      1        0      2d  0.2s  0.4s  1 failed
runner-3  ok                    1        1      0        0       -  0.2s  0.4s  1 of unknown age
runner-4  unreachable           -        -      -        -       -     -   10s  connect: timeout
runner-5  guarded               3        3      3        0      2d  0.2s  0.2s  cap: 3, limit 2
runner-6  guarded               -        -      -        -       -  0.2s  0.2s  identity
runner-7  failed                -        -      -        -       -     -   10s  ValueError
------------------------------------------------------------------------------------------------
TOTAL     3/7 ok               26       19     17       13      3d         12s
"""

FLEET_LINES = [
    "runner-2: ws-stuck-0 (a25d5433553a) was not removed: device or resource busy",
    "runner-3: ws-odd (b2ed47f7334e) was kept: its age is unknown "
    "(created 2026-06-13T07:00:00Z, started 2026-06-13T07:00:00Z)",
    "runner-4: unreachable (connect): no TCP connection to box port 22 within 10 s -> check that the box is up",
    "runner-5: guarded (cap): 3 candidates are more than the cap of 2",
    "runner-6: guarded (identity): this is the same engine as runner-1",
    "runner-7: failed by a bug in fleetsweep (ValueError): list index out of range -> the traceback is in the log",
]


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


def test_a_fleet_is_one_row_a_host_then_the_totals_then_what_to_act_on() -> None:
    table, _, lines = render(fleet(), "table").partition("\n\n")
    assert table + "\n" == FLEET_TABLE
    assert lines.splitlines() == FLEET_LINES


def test_the_table_is_at_most_100_columns_wide() -> None:
    made = report(
        surveyed("box-1", candidates("ws", 12), outcome=Outcome.CHANGED),
        lost("box-2", message="x" * 500),
        guarded("b", candidates("y", 3), Guard(GuardName.SKEW, "a year", 300, -31_536_000.0)),
    )
    table = render(made, "table").partition("\n\n")[0]
    assert max(map(len, table.splitlines())) <= 100


def test_a_note_is_cut_to_keep_the_table_narrow() -> None:
    host = surveyed("runner-1", candidates("ws", 5))
    outcomes = zip(host.plan.candidates if host.plan else (), Outcome, strict=True)
    removals = tuple(Removal(d.container.id, outcome) for d, outcome in outcomes)
    table = render(report(replace(host, removals=removals), lost("runner-2")), "table").splitlines()
    assert table[2].endswith("  1 gone, 1 changed, …")
    assert len(table[2]) <= 100


def test_a_long_host_name_is_not_cut_to_make_room() -> None:
    name = "runner-10.eu-west-1.ci.example.internal"
    made = report(surveyed(name), lost("b"))
    assert cells(made, name)[:2] == [name, "ok"]
    assert cells(made, "b ")[-1] == "connect: timeout"


def test_a_clean_fleet_has_nothing_below_the_totals() -> None:
    assert below(report(surveyed("a", candidates("ws", 2), outcome=Outcome.REMOVED))) == []


@pytest.mark.parametrize("name", ["1e5", "007", "nan", "inf", "True", "-runner", "1_000", "0x10", "12%"])
def test_a_host_name_that_looks_like_a_number_stays_as_it_is(name: str) -> None:
    assert cells(report(surveyed(name)), name)[:2] == [name, "ok"]
    assert f"| {name} ".replace("_", r"\_") in render(report(surveyed(name)), "markdown")


def test_an_audit_removes_nothing_and_does_not_say_0() -> None:
    made = report(surveyed("box", candidates("ws", 2)), command="audit")
    assert removed(made, "box") == removed(made, "TOTAL") == "-"


def test_a_dry_run_says_how_many_it_would_remove() -> None:
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


def test_a_removal_of_unknown_fate_names_the_container_and_what_settles_it() -> None:
    made = report(surveyed("box", candidates("ws", 1), outcome=Outcome.UNKNOWN, error="connection lost"))
    assert below(made) == [
        f"box: ws-0 ({container_id('ws-0')[:12]}) may or may not have been removed: connection lost"
        " -> the next run finds out"
    ]


def test_gone_and_changed_are_noted_but_ask_for_nothing() -> None:
    made = report(surveyed("box", candidates("ws", 2), outcome=Outcome.CHANGED))
    assert cells(made, "box")[-1] == "2 changed"
    assert below(made) == []


def test_a_host_that_was_interrupted_without_a_fault_is_named() -> None:
    made = report(replace(surveyed("box"), status=Status.INTERRUPTED))
    assert below(made) == ["box: interrupted"]


def test_ten_thousand_of_a_kind_are_cut_short_unless_verbose() -> None:
    odd = tuple(decision(container(f"ws-{n}"), Reason.UNKNOWN_AGE, age_s=None) for n in range(1000))
    made = report(surveyed("box", odd), surveyed("next"))
    lines = below(made)
    assert len(lines) == LINES_A_HOST + 1
    assert lines[-1] == f"box: ... and {1000 - LINES_A_HOST} more like the last one (-v shows them)"
    assert len(below(made, verbose=True)) == 1000


def test_verbose_puts_each_hosts_containers_in_front() -> None:
    text = render(fleet(), "table", verbose=True)
    first = text.split("\n\n")[0].splitlines()
    assert first[0] == "runner-1:"
    assert first[1].split() == ["ID", "NAME", "IMAGE", "STATE", "AGE", "FROM", "VERDICT", "REASON", "OUTCOME", "DETAIL"]
    assert len(first) == 2 + 14
    oldest = next(line for line in first if "ws-oldest" in line).split()
    assert oldest[1:] == [
        *("ws-oldest", "molecule-local/workspace-template-a:latest", "running"),
        *("3d", "started", "remove", "stale", "removed"),
    ]
    assert len(oldest[0]) == 12
    assert "ws-many-1" in text
    assert text.endswith(render(fleet(), "table"))
    assert "runner-6:\n" not in text, "another name's containers are not listed twice"


def test_verbose_says_why_an_old_container_is_young() -> None:
    restarting = container("ws-loop", age_s=30, created_age_s=9 * DAY_S, restarts=65)
    text = render(report(surveyed("box", (decision(restarting, Reason.YOUNG, age_s=30),))), "table", verbose=True)
    assert "65 restarts, created 9d ago" in text


def test_an_unreadable_timestamp_is_called_that() -> None:
    odd = replace(container("ws-odd"), created_ns=0, started_ns=10**30)
    made = report(surveyed("box", (decision(odd, Reason.UNKNOWN_AGE, age_s=None),)))
    assert "(created unreadable, started beyond the calendar)" in render(made, "table")


def test_colour_is_only_in_the_status_and_moves_nothing() -> None:
    plain, coloured = render(fleet(), "table"), render(fleet(), "table", color=True)
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain
    found = re.findall(r"(\x1b\[\d+m)(\S+)\x1b\[0m", coloured)
    assert [word for _, word in found] == [host.status.value for host in fleet().hosts]
    assert len({code for code, word in found if word in ("ok", "guarded", "failed")}) == 3


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
def test_a_duration_reads_as_a_person_says_it(seconds: float | None, text: str) -> None:
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


def test_a_row_says_why_a_container_was_kept_that_is_unreadable_or_in_use() -> None:
    kept = (
        replace(
            decision(container("ws-wedged"), Reason.UNREADABLE), detail="an inspect response did not arrive within 5 s"
        ),
        replace(decision(container("ws-owner"), Reason.IN_USE), detail="ws-young lives in its network"),
    )
    text = render(report(surveyed("a", kept)), "table")
    assert "1 unreadable, 1 in use" in text
    assert "was kept: it could not be read: an inspect response did not arrive within 5 s" in text
    assert "was kept: it is in use: ws-young lives in its network" in text
