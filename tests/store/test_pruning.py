"""Deleting old runs: what is open or held stays, and the file shrinks."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.model.hold import Hold
from fleetsweep.model.host import Host
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.store.journal import Journal, NoJournalError, journal_size, past_runs, place_hold, prune
from fleetsweep.store.state_dir import try_sweep_lock
from tests.generators.journal import DAY_S, END_NS, Shape, write_journal
from tests.policy.test_rules import many
from tests.store.test_leaks import leak, seen
from tests.store.test_leaks import run as finished
from tests.store.test_writer import on_disk

DAY_NS = DAY_S * 10**9


def removal(state: Path, run_id: str, at_ns: int, number: int, outcome: Outcome | None) -> str:
    """A run at a time that meant to remove one container."""
    container = many(number + 1)[number]
    with Journal(state, run_id, "sweep", clock=lambda: at_ns) as journal:
        log = journal.for_host(Host("a", "a"))
        intent = log.intend(container)
        if outcome:
            log.conclude(intent, Removal(container.id, outcome))
        log.flush()
    return container.id


def test_what_is_open_or_held_stays_and_the_rest_goes(tmp_path: Path) -> None:
    state = tmp_path / "state"
    removal(state, "open", 1 * DAY_NS, 0, None)
    removal(state, "unknown", 2 * DAY_NS, 1, Outcome.UNKNOWN)
    held = removal(state, "held", 3 * DAY_NS, 2, Outcome.FAILED)
    removal(state, "old", 4 * DAY_NS, 3, Outcome.REMOVED)
    removal(state, "new", 100 * DAY_NS, 4, Outcome.REMOVED)
    place_hold(state, Hold(held, "a", "ws", "why", "ann", 0, 200 * DAY_NS))
    place_hold(state, Hold("ended", "a", "ws", "why", "ann", 0, 5 * DAY_NS))
    pruned = prune(state, 30 * DAY_NS, 101 * DAY_NS, "a test")
    assert (pruned.runs, pruned.holds, pruned.kept_runs, pruned.before_ns) == (1, 1, 3, 70 * DAY_NS)
    assert [run.id for run in past_runs(state)] == ["new", "held", "unknown", "open"]
    assert on_disk(state, "SELECT run, outcome, settled FROM intent ORDER BY id") == [
        ("open", None, None),
        ("unknown", "unknown", None),
        ("held", "failed", None),
        ("new", "removed", None),
    ]
    assert on_disk(state, "SELECT container_id FROM hold") == [(held,)]


def test_a_leak_that_is_still_there_or_held_stays(tmp_path: Path) -> None:
    state = tmp_path / "state"
    finished(state, "1", 10, seen(leak(1), leak(2), leak(3)))
    finished(state, "2", 20, seen(leak(1)))
    place_hold(state, Hold(leak(2).container_id, "a", "ws-2", "why", "ann", 0, 2**62))
    with closing(sqlite3.connect(state / "journal.db")) as journal, journal:
        journal.execute("UPDATE run SET started_ns = ?", (100 * DAY_NS,))
    assert prune(state, DAY_NS, 100 * DAY_NS, "a test").leaks == 1
    assert on_disk(state, "SELECT name FROM leak ORDER BY name") == [("ws-1",), ("ws-2",)]


def test_the_time_counts_from_the_newest_run_so_that_a_wrong_clock_empties_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    removal(state, "a", 1 * DAY_NS, 0, Outcome.REMOVED)
    removal(state, "b", 2 * DAY_NS, 1, Outcome.REMOVED)
    assert prune(state, 30 * DAY_NS, 5000 * DAY_NS, "a test").runs == 0


def test_the_file_shrinks_and_counters_stay(tmp_path: Path) -> None:
    state = tmp_path / "state"
    write_journal(state, Shape(hosts=6, days=4, runs_a_day=8))
    before = journal_size(state)
    counters = on_disk(state, "SELECT * FROM counter ORDER BY name, command, host")
    pruned = prune(state, DAY_NS, END_NS, "a test")
    after = journal_size(state)
    assert (pruned.bytes_before, pruned.bytes_after) == (before.total, after.total)
    assert after.total < before.total
    assert (before.runs - after.runs, before.leaks - after.leaks) == (pruned.runs, pruned.leaks)
    assert after.reports < before.reports
    assert on_disk(state, "SELECT * FROM counter ORDER BY name, command, host") == counters
    assert on_disk(state, "PRAGMA integrity_check") == [("ok",)]


def test_nothing_is_deleted_while_a_sweep_runs_nor_where_there_is_no_journal(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with pytest.raises(NoJournalError):
        prune(state, DAY_NS, END_NS, "a test")
    assert not state.exists()
    removal(state, "a", 1 * DAY_NS, 0, Outcome.REMOVED)
    with try_sweep_lock(state, "a sweep"), pytest.raises(UsageError, match="a sweep is running"):
        prune(state, 0, END_NS, "a test")
    assert len(past_runs(state)) == 1
