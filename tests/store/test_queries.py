"""Queries on past runs: sums, exit codes, settlements, and nothing that is not known."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from fleetsweep.errors import FaultKind, UsageError
from fleetsweep.model.container import SECOND
from fleetsweep.model.decision import Guard, GuardName
from fleetsweep.model.host import Host
from fleetsweep.model.intent import SettledAs, Settlement
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.report import FleetReport, HostReport
from fleetsweep.model.survey import Fault, Status
from fleetsweep.report import render_history, render_record
from fleetsweep.store.journal import Journal, past_runs, record
from tests.policy.test_rules import many
from tests.report.build import candidates, plan, surveyed

LOST = HostReport(
    Host("lost", "lost"),
    Status.UNREACHABLE,
    fault=Fault(Status.UNREACHABLE, None, FaultKind.REFUSED, "nobody listens there"),
)
HOST = Host("runner-1", "127.0.0.1")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def ended(
    state: Path,
    run_id: str,
    *rows: HostReport,
    command: str = "sweep",
    dry_run: bool = False,
    code: int = 0,
    guard: Guard | None = None,
) -> None:
    """A run that took a second and a half."""
    with Journal(state, run_id, command, dry_run=dry_run) as journal:
        journal.finish(FleetReport(run_id, command, dry_run, 0, 0, code, rows, guard), looked=True)
    with closing(sqlite3.connect(state / "journal.db")) as other, other:
        other.execute("UPDATE run SET finished_ns = started_ns + ? WHERE id = ?", (3 * SECOND // 2, run_id))


def killed(state: Path, run_id: str, *outcomes: Outcome | None) -> None:
    """A sweep that never ended, with an intent for each of ``outcomes``."""
    with Journal(state, run_id, "sweep") as journal:
        log = journal.for_host(HOST)
        for container, outcome in zip(many(len(outcomes)), outcomes, strict=True):
            number = log.intend(container)
            if outcome is not None:
                log.conclude(number, Removal(container.id, outcome, "busy" if outcome is Outcome.FAILED else None))


def aged(state: Path, run_id: str, hours: int) -> None:
    with closing(sqlite3.connect(state / "journal.db")) as other, other:
        other.execute("UPDATE run SET started_ns = started_ns - ? WHERE id = ?", (hours * 3600 * SECOND, run_id))


def ids(state: Path, **which: object) -> list[str]:
    return [run.id for run in past_runs(state, **which)]  # type: ignore[arg-type]


def cells(text: str) -> list[list[str]]:
    """The words of a table's rows, without its headers."""
    return [line.split() for line in text.splitlines()[1:]]


# Which runs


def test_the_newest_run_comes_first_with_the_sums_of_its_hosts(state: Path) -> None:
    ended(state, "a", surveyed("runner-1", candidates("ws", 3), outcome=Outcome.REMOVED), LOST, code=3)
    ended(state, "b", surveyed("runner-1", candidates("ws", 2)), command="audit")
    newest, oldest = past_runs(state)
    assert (newest.id, newest.command, newest.hosts, newest.ok, newest.stale) == ("b", "audit", 1, 1, 2)
    assert (oldest.id, oldest.exit_code, oldest.hosts, oldest.ok) == ("a", 3, 2, 1)
    assert (oldest.stale, oldest.removed, oldest.unknown) == (3, 3, 0)
    assert oldest.finished_ns == oldest.started_ns + 3 * SECOND // 2


def test_a_run_that_did_not_end_counts_the_removals_it_recorded(state: Path) -> None:
    killed(state, "k", Outcome.REMOVED, Outcome.FAILED, None, Outcome.UNKNOWN)
    (run,) = past_runs(state)
    assert (run.finished_ns, run.exit_code, run.hosts, run.removed, run.unknown) == (None, None, 0, 1, 2)


def test_an_intent_that_a_later_run_settled_is_no_longer_unknown(state: Path) -> None:
    killed(state, "k", None)
    with Journal(state, "later", "audit") as journal:
        (intent,) = journal.open_intents()
        journal.settle({"runner-1": [Settlement(intent, SettledAs.GONE)]})
    assert [(run.id, run.unknown) for run in past_runs(state)] == [("later", 0), ("k", 0)]
    (removal,) = record(state, "k").removals
    assert (removal.outcome, removal.settled, removal.settled_run) == ("unknown", "gone", "later")


def test_a_hosts_runs_are_counted_for_that_host_alone(state: Path) -> None:
    ended(state, "both", surveyed("a", candidates("ws", 3)), surveyed("b", candidates("ws", 5)), command="audit")
    ended(state, "other", surveyed("b", candidates("ws", 5)), command="audit")
    killed(state, "killed", None)
    (run,) = past_runs(state, hosts=["a"])
    assert (run.id, run.hosts, run.stale) == ("both", 1, 3)
    assert ids(state, hosts=["a", "b"]) == ["other", "both"]
    assert ids(state, hosts=["runner-1"]) == ["killed"]
    assert ids(state, hosts=["A", "%", "a' OR '1"]) == []


def test_failed_means_every_end_but_exit_code_0(state: Path) -> None:
    ended(state, "well", surveyed("a"))
    ended(state, "guarded", surveyed("a"), code=4)
    killed(state, "killed")
    assert ids(state, failed=True) == ["killed", "guarded"]


def test_last_and_since_bound_the_list(state: Path) -> None:
    for run_id in ("a", "b", "c"):
        ended(state, run_id)
    aged(state, "a", 30)
    aged(state, "b", 20)
    assert ids(state, most=2) == ["c", "b"]
    since = past_runs(state)[0].started_ns - 24 * 3600 * SECOND
    assert ids(state, since_ns=since) == ["c", "b"]
    assert ids(state, most=1, since_ns=since) == ["c"]


# One run


def test_a_run_is_found_by_the_beginning_of_its_id_and_without_one_it_is_the_newest(state: Path) -> None:
    for run_id in ("2026-a", "2026-b", "2025-c"):
        ended(state, run_id)
    assert record(state, "2025").run.id == "2025-c"
    assert record(state, "2026-a").run.id == "2026-a"
    assert record(state, "").run.id == "2025-c"
    with pytest.raises(UsageError, match=r"several runs' ids begin with '2026', 2026-b and 2026-a: give more"):
        record(state, "2026")
    for unknown in ("2024", "026", "2026-a%", "_"):
        with pytest.raises(UsageError, match="no run's id begins with"):
            record(state, unknown)


def test_a_record_has_every_host_with_its_error_or_guard(state: Path) -> None:
    cap = Guard(GuardName.CAP, "101 candidates, the cap is 100")
    fleet = Guard(GuardName.FLEET_CAP, "too many in the fleet")
    guarded = plan("capped", guard=cap)
    ended(state, "a", surveyed("free"), HostReport(guarded.host, Status.GUARDED, guarded), LOST, guard=fleet, code=4)
    ended(state, "b", surveyed("free"))
    assert {host.name: host.trouble for host in record(state, "a").hosts} == {
        "free": fleet.message,
        "capped": cap.message,
        "lost": "nobody listens there",
    }
    assert [host.trouble for host in record(state, "b").hosts] == [None]


# What is printed


def test_the_table_has_a_dash_for_what_is_unknown(state: Path) -> None:
    ended(state, "audit", surveyed("a", candidates("ws", 2)), command="audit")
    ended(state, "dry", surveyed("a", candidates("ws", 2)), dry_run=True)
    ended(state, "real", surveyed("a", candidates("ws", 2), outcome=Outcome.REMOVED), LOST, code=3)
    killed(state, "killed", Outcome.REMOVED, None)
    rows = cells(render_history(past_runs(state), "table"))
    assert [[*row[:-7], *row[-6:]] for row in rows[1:]] == [
        ["real", "sweep", "1.5s", "1/2", "ok", "2", "2", "3"],
        ["dry", "sweep", "--dry-run", "1.5s", "1/1", "ok", "2", "-", "0"],
        ["audit", "audit", "1.5s", "1/1", "ok", "2", "-", "0"],
    ]
    assert rows[0][:2] + rows[0][3:] == ["killed", "sweep", "-", "-", "-", "1", "-", "not", "ended,", "1", "unknown"]
    shown = cells(render_record(record(state, "real"), "table"))
    assert ["lost", "unreachable", "-", "-", "-", "-", "-", "0.0s"] in shown
    assert ["lost:", "nobody", "listens", "there"] in shown


def test_a_record_says_how_the_run_ended(state: Path) -> None:
    ended(state, "a", LOST, code=3)
    killed(state, "k", Outcome.FAILED, None)
    assert "took 1.5s, exit code 3: a host was unreachable" in render_record(record(state, "a"), "table")
    table = render_record(record(state, "k"), "table")
    assert "did not end: it is still running, or was killed" in table
    assert table.splitlines()[3].split()[-2:] == ["failed", "busy"]
    assert table.splitlines()[4].endswith("unknown")


def test_json_has_null_for_what_is_unknown(state: Path) -> None:
    killed(state, "k", Outcome.FAILED, None)
    (run,) = json.loads(render_history(past_runs(state), "json"))["runs"]
    assert (run["run_id"], run["finished_at"], run["exit_code"], run["unknown"]) == ("k", None, None, 1)
    ended(state, "a", LOST, code=3)
    shown = json.loads(render_record(record(state, "a"), "json"))
    assert shown["schema"] == "fleetsweep.run/1"
    assert shown["hosts"][0]["trouble"] == "nobody listens there"
    removals = json.loads(render_record(record(state, "k"), "json"))["removals"]
    assert [(each["outcome"], each["error"], each["settled"]) for each in removals] == [
        ("failed", "busy", None),
        ("unknown", None, None),
    ]


def test_text_from_a_box_is_escaped(state: Path) -> None:
    hostile = "\x1b]52;c;AAAA\x07\nrunner-1: all is well\u202e"
    fault = replace(LOST, fault=Fault(Status.UNREACHABLE, None, FaultKind.REFUSED, hostile))
    ended(state, "a", fault, code=3)
    with Journal(state, "k", "sweep") as journal:
        log = journal.for_host(HOST)
        (container,) = many(1)
        log.conclude(log.intend(replace(container, name=hostile)), Removal(container.id, Outcome.FAILED, hostile))
    for run_id in ("a", "k"):
        for style in ("table", "json"):
            text = render_record(record(state, run_id), style)
            assert all(character.isprintable() or character == "\n" for character in text)
            assert not any(line.startswith("runner-1: all is well") for line in text.splitlines())


# Where there is nothing to read


def test_without_a_journal_the_error_names_the_option(state: Path) -> None:
    for missing in (state, state / "below", Path(os.devnull) / "x"):
        with pytest.raises(UsageError, match=r"no run is recorded in .*--state-dir"):
            past_runs(missing)
    assert not state.exists()


@pytest.mark.parametrize("kind", ["directory", "link", "junk", "another version"])
def test_a_file_that_is_not_our_journal_is_refused_and_left_alone(state: Path, kind: str) -> None:
    state.mkdir(mode=0o700)
    path = state / "journal.db"
    if kind == "directory":
        path.mkdir()
    elif kind == "link":
        ended(state / "real", "a")
        path.symlink_to(state / "real" / "journal.db")
    elif kind == "junk":
        path.write_bytes(b"junk " * 1000)
    else:
        with closing(sqlite3.connect(path)) as other, other:
            other.execute("PRAGMA user_version = 7")
    before = sorted(entry.name for entry in state.iterdir())
    with pytest.raises(UsageError, match="journal"):
        past_runs(state)
    with pytest.raises(UsageError, match="journal"):
        record(state, "")
    assert sorted(entry.name for entry in state.iterdir()) == before


def test_reading_leaves_nothing_behind_and_changes_nothing(state: Path) -> None:
    ended(state, "a", LOST)
    before = (state / "journal.db").read_bytes()
    past_runs(state)
    record(state, "a")
    assert [entry.name for entry in state.iterdir()] == ["journal.db"]
    assert (state / "journal.db").read_bytes() == before


def test_a_run_is_read_while_it_writes(state: Path) -> None:
    with Journal(state, "now", "sweep") as journal:
        log = journal.for_host(HOST)
        first, second = many(2)
        log.intend(first)
        assert [(run.id, run.unknown) for run in past_runs(state)] == [("now", 1)]
        log.intend(second)
        assert len(record(state, "now").removals) == 2


def test_only_what_is_old_and_settled_is_forgotten_and_only_when_asked(state: Path) -> None:
    killed(state, "open", None)
    killed(state, "settled", Outcome.FAILED)
    ended(state, "old", code=0)
    ended(state, "young", code=0)
    for run_id in ("open", "settled", "old"):
        aged(state, run_id, 91 * 24)
    with closing(sqlite3.connect(state / "journal.db")) as database, database:
        database.execute("UPDATE intent SET at_ns = 1")
        (young_ns,) = database.execute("SELECT started_ns FROM run WHERE id = 'young'").fetchone()
    with Journal(state, "looks", "audit"):
        pass
    assert set(ids(state)) == {"open", "settled", "old", "young", "looks"}
    report = FleetReport("forgets", "audit", False, 0, 0, 0, ())
    for left in ({"open", "young", "looks"}, {"young", "looks"}):
        with Journal(state, f"forgets {len(left)}", "audit") as journal:
            journal.finish(report, looked=True, forget_before_ns=young_ns)
        assert {run_id for run_id in ids(state) if "forgets" not in run_id} == left
