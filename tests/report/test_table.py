"""The table: what an operator reads."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from fleetsweep.model.decision import Guard, GuardName
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.report import FleetReport
from fleetsweep.report import render
from tests.report.build import (
    candidates,
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
runner-7  failed                -        -      -        -       -     -   10s  bug
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
    "runner-7: failed by a bug in fleetsweep (bug): list index out of range -> the traceback is in the log",
]


def cells(made: FleetReport, name: str) -> list[str]:
    """One row's cells, split where the table leaves a gap of two."""
    row = next(line for line in render(made, "table").splitlines() if line.startswith(name))
    return re.split(r"  +", row)


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


@pytest.mark.parametrize("name", ["1e5", "007", "nan", "inf", "True", "-runner", "1_000", "0x10", "12%"])
def test_a_host_name_that_looks_like_a_number_stays_as_it_is(name: str) -> None:
    assert cells(report(surveyed(name)), name)[:2] == [name, "ok"]
    assert f"| {name} ".replace("_", r"\_") in render(report(surveyed(name)), "markdown")


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


def test_colour_is_only_in_the_status_and_moves_nothing() -> None:
    plain, coloured = render(fleet(), "table"), render(fleet(), "table", color=True)
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain
    found = re.findall(r"(\x1b\[\d+m)(\S+)\x1b\[0m", coloured)
    assert [word for _, word in found] == [host.status.value for host in fleet().hosts]
    assert len({code for code, word in found if word in ("ok", "guarded", "failed")}) == 3
