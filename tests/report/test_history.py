"""What ``history``, ``show`` and ``hold --list`` print of past runs and holds."""

from __future__ import annotations

import json
from dataclasses import replace

from fleetsweep.model.container import SECOND
from fleetsweep.model.hold import Hold
from fleetsweep.model.journal import PastHost, PastRemoval, PastRun, Record
from fleetsweep.report.history import render_history, render_holds, render_record
from tests.report.build import NOW_NS, container_id

SWEEP = PastRun("20260615-a", "sweep", False, NOW_NS, NOW_NS + 3 * SECOND // 2, 3, 2, 1, 2, 1, 1)
KILLED = PastRun("20260615-k", "sweep", False, NOW_NS, None, None, 0, 0, 0, 1, 2)
AUDIT = PastRun("20260615-b", "audit", False, NOW_NS, NOW_NS + SECOND, 0, 1, 1, 2, 0, 0)
RAN = PastHost("a", "ok", 5, 3, 2, 1, 0.25, 0.41, None)
LOST = PastHost("b", "unreachable", 0, 0, 0, 0, None, 10.0, "connection refused\x1b[2J")


def cells(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_a_run_is_one_row_with_a_dash_for_what_does_not_apply() -> None:
    rows = cells(render_history([SWEEP, AUDIT, KILLED], "table"))
    assert rows[1] == [
        "20260615-a",
        "sweep",
        "2026-06-15T07:00:00Z",
        "1.5s",
        "1/2",
        "ok",
        "2",
        "1",
        "3",
        *["1", "unknown"],
    ]
    assert rows[2][-3:] == ["2", "-", "0"]
    assert rows[3][3:] == ["-", "-", "-", "1", "-", "not", "ended,", "2", "unknown"]


def test_a_record_has_its_hosts_its_removals_and_then_their_errors() -> None:
    removals = (
        PastRemoval("a", container_id("x"), "ws-1", NOW_NS, "removed", None, None, None),
        PastRemoval("a", "volume:data", "data", NOW_NS, "failed", "in use", None, None),
        PastRemoval("a", container_id("y"), "ws-2", NOW_NS, "unknown", None, "gone", "later"),
    )
    head, hosts, table, errors = render_record(Record(SWEEP, (RAN, LOST), removals), "table").split("\n\n")
    assert head == (
        "20260615-a: sweep, started 2026-06-15T07:00:00Z, took 1.5s, exit code 3: a host was unreachable or "
        "unusable, or something was not written"
    )
    assert cells(hosts)[1:] == [
        ["a", "ok", "5", "3", "2", "1", "0.2s", "0.4s"],
        ["b", "unreachable", "-", "-", "-", "-", "-", "10s"],
    ]
    assert [row[1] for row in cells(table)[1:]] == [container_id("x")[:12], "volume", container_id("y")[:12]]
    assert table.splitlines()[3].endswith("unknown  gone, as run later found")
    assert errors == "b: connection refused\\x1b[2J\n"


def test_the_same_error_of_many_hosts_is_one_line() -> None:
    hosts = tuple(replace(LOST, name=f"r-{number:02}", trouble=f"r-{number:02} timed out") for number in range(40))
    text = render_record(Record(SWEEP, hosts, ()), "table")
    assert text.endswith("\n\nr-[00-39] (shown: r-00): r-00 timed out\n")


def test_equal_rows_of_many_hosts_are_one_with_sums_and_an_odd_one_stays_alone() -> None:
    hosts = tuple(replace(RAN, name=f"runner-{number:03}", duration_s=float(number)) for number in range(1, 61))
    odd = replace(RAN, name="odd", removed=RAN.removed - 1)
    _, table, *_ = render_record(Record(SWEEP, (*hosts, odd), ()), "table", 80).split("\n\n")
    header, folded, alone, omitted = table.splitlines()
    assert folded.split()[:2] == ["runner-[001-060]", "ok"]
    assert folded.split()[2:6] == [str(60 * n) for n in (RAN.containers, RAN.matched, RAN.stale, RAN.removed)]
    assert folded.endswith("60 hosts")
    assert alone.startswith("odd ")
    assert header.endswith("NOTE")
    assert omitted == "(not shown at this width: SKEW)"
    assert max(map(len, table.splitlines())) <= 80


def test_json_has_null_for_what_is_unknown() -> None:
    (run,) = json.loads(render_history([KILLED], "json"))["runs"]
    assert (run["finished_at"], run["exit_code"], run["removed"]) == (None, None, 1)
    record = json.loads(render_record(Record(SWEEP, (LOST,), ()), "json"))
    assert record["hosts"][0]["clock_skew_s"] is None
    assert record["removals"] == []


def test_a_hold_is_one_row_with_its_end_and_its_reason() -> None:
    hold = Hold(container_id("x"), "a", "ws-1", "look at\nit", "ann", NOW_NS, NOW_NS + 3600 * SECOND)
    _, row = render_holds([hold], "table").splitlines()
    assert row.split(maxsplit=5) == [
        *("a", container_id("x")[:12], "ws-1", "2026-06-15T08:00:00Z", "ann"),
        "look at\\x0ait",
    ]
    (item,) = json.loads(render_holds([hold], "json"))["holds"]
    assert (item["id"], item["until"], item["reason"]) == (hold.container_id, "2026-06-15T08:00:00Z", "look at\nit")


def test_hosts_whose_errors_differ_in_their_own_socket_share_a_line() -> None:
    hosts = tuple(
        replace(
            LOST,
            name=f"r-{number}",
            trouble=f"there is no socket /run/{number}.sock",
            endpoint=f"local unix:///run/{number}.sock",
        )
        for number in range(1, 4)
    )
    shown = render_record(Record(SWEEP, hosts, ()), "table")
    assert shown.splitlines()[-1] == "r-[1-3] (shown: r-1): there is no socket /run/1.sock"
