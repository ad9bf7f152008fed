"""Writing the journal: durable before a call returns, in order, and nothing more after the first failure."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from fleetsweep.model.host import Host
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.store.journal import Journal, JournalError
from fleetsweep.store.journal.writer import MOST_ROWS
from fleetsweep.sweep.ledger import Ledger
from tests.lab.process import wait_for
from tests.policy.test_rules import many
from tests.report.build import surveyed

HOST = Host("runner-1", "127.0.0.1")
COUNT = "SELECT count(*) FROM intent"


def on_disk(state: Path, query: str, *values: object) -> list[tuple[object, ...]]:
    """What another process would read."""
    with closing(sqlite3.connect(state / "journal.db")) as reader:
        return reader.execute(query, values).fetchall()


@contextmanager
def held(state: Path) -> Iterator[None]:
    """While another process holds the database, the writer waits and a queue forms behind it."""
    with closing(sqlite3.connect(state / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("COMMIT")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_an_intent_is_on_disk_when_intend_returns(state: Path) -> None:
    with Journal(state, "run", "sweep") as journal:
        log = journal.for_host(HOST)
        for number, container in enumerate(many(3), start=1):
            intent = log.intend(container)
            found = on_disk(state, "SELECT run, host, container_id, outcome FROM intent WHERE id = ?", intent)
            assert found == [("run", "runner-1", container.id, None)]
            assert on_disk(state, COUNT) == [(number,)]


def test_what_many_threads_intend_is_on_disk_for_each_of_them(state: Path) -> None:
    items = many(60)
    with Journal(state, "run", "sweep") as journal, ThreadPoolExecutor(12) as pool:
        logs = [journal.for_host(Host(f"runner-{number}", "127.0.0.1")) for number in range(3)]

        def intend(number: int) -> tuple[int, list[tuple[object, ...]]]:
            intent = logs[number % 3].intend(items[number])
            return intent, on_disk(state, "SELECT container_id FROM intent WHERE id = ?", intent)

        answers = list(pool.map(intend, range(60)))
    assert len({intent for intent, _ in answers}) == 60
    assert [found for _, found in answers] == [[(item.id,)] for item in items]


def commits(journal: Journal) -> bool:
    """Whether the writer's thread is in the middle of a commit."""
    frame = sys._current_frames().get(journal._writer.ident or 0)
    return frame is not None and frame.f_code.co_name == "_commit"


def test_all_queued_statements_are_committed_together_or_not_at_all(state: Path) -> None:
    statement = "INSERT INTO run (id, command, dry_run, started_ns) VALUES (?, ?, 0, ?)"
    with Journal(state, "run", "sweep") as journal:
        with held(state):
            first = journal.post(statement, ("first", "sweep", 1))
            wait_for(lambda: commits(journal), "the writer committing the first statement, and no other with it")
            good = [journal.post(statement, (f"good {number}", "sweep", 1)) for number in range(20)]
            journal.post(statement, ("first", "the same key again", 1))
        journal.flush(first)
        with pytest.raises(JournalError, match="UNIQUE"):
            journal.flush(good[0])
    assert on_disk(state, "SELECT id FROM run ORDER BY started_ns") == [("first",), ("run",)]


def test_flush_waits_for_the_outcomes_that_conclude_queued(state: Path) -> None:
    items = many(5)
    with Journal(state, "run", "sweep") as journal:
        log = journal.for_host(HOST)
        intents = [log.intend(item) for item in items]
        for intent, item in zip(intents, items, strict=True):
            log.conclude(intent, Removal(item.id, Outcome.REMOVED))
        log.flush()
        assert on_disk(state, "SELECT DISTINCT outcome FROM intent") == [("removed",)]
        log.flush()
        journal.flush()


def test_the_first_outcome_is_final(state: Path) -> None:
    (item,) = many(1)
    with Journal(state, "run", "sweep") as journal:
        log = journal.for_host(HOST)
        intent = log.intend(item)
        log.conclude(intent, Removal(item.id, Outcome.FAILED, "busy"))
        log.conclude(intent, Removal(item.id, Outcome.REMOVED))
        log.flush()
        assert on_disk(state, "SELECT outcome, error FROM intent") == [("failed", "busy")]


def test_closing_the_journal_commits_what_is_queued_and_takes_no_more(state: Path) -> None:
    (item,) = many(1)
    with Journal(state, "run", "sweep") as journal:
        log = journal.for_host(HOST)
        log.conclude(log.intend(item), Removal(item.id, Outcome.GONE))
    assert on_disk(state, "SELECT outcome FROM intent") == [("gone",)]
    log.flush()
    with pytest.raises(JournalError, match="closed"):
        log.intend(item)


def change_schema(state: Path, statement: str) -> None:
    with closing(sqlite3.connect(state / "journal.db", isolation_level=None)) as other:
        other.execute(statement)


def test_after_a_failure_nothing_more_is_written_even_if_it_could_be(state: Path) -> None:
    first, second, third = many(3)
    with Journal(state, "run", "sweep") as journal:
        log = journal.for_host(HOST)
        intent = log.intend(first)
        full = "CREATE TRIGGER full BEFORE INSERT ON intent BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        change_schema(state, full)
        with pytest.raises(JournalError, match="disk full"):
            log.intend(second)
        change_schema(state, "DROP TRIGGER full")
        with pytest.raises(JournalError, match="disk full"):
            log.intend(third)
        with pytest.raises(JournalError, match="disk full"):
            log.conclude(intent, Removal(first.id, Outcome.REMOVED))
        log.flush()  # this host has nothing queued
    assert on_disk(state, "SELECT container_id, outcome FROM intent") == [(first.id, None)]


def test_flush_raises_for_an_outcome_that_could_not_be_written(state: Path) -> None:
    first, second = many(2)
    with Journal(state, "run", "sweep") as journal:
        log, other_host = journal.for_host(HOST), journal.for_host(Host("runner-2", "127.0.0.1"))
        other_host.conclude(other_host.intend(second), Removal(second.id, Outcome.REMOVED))
        other_host.flush()
        with held(state):
            journal.post("INSERT INTO no_such_table VALUES (?)", (1,))
            log.conclude(1, Removal(first.id, Outcome.REMOVED))
        with pytest.raises(JournalError, match="no_such_table"):
            log.flush()
        with pytest.raises(JournalError, match="no_such_table"):
            journal.flush()
        other_host.flush()  # this host's outcomes are durable


def test_a_statement_that_python_cannot_bind_breaks_the_journal_and_no_caller_hangs(state: Path) -> None:
    with Journal(state, "run", "sweep") as journal:
        with pytest.raises(JournalError):
            journal.write("INSERT INTO intent (run) VALUES (?)", (object(),))
        with pytest.raises(JournalError):
            journal.write(
                "INSERT INTO run (id, command, dry_run, started_ns) VALUES (?, ?, 0, ?)", ("other", "sweep", 1)
            )


def test_a_ledger_keeps_its_outcomes_when_they_cannot_be_made_durable(state: Path) -> None:
    (item,) = many(1)
    with Journal(state, "run", "sweep") as journal:
        ledger = Ledger(journal.for_host(HOST))
        ledger.intend(item)
        with held(state):
            journal.post("INSERT INTO no_such_table VALUES (?)", (1,))
            ledger.conclude(Removal(item.id, Outcome.REMOVED))
        assert ledger.close() == (Removal(item.id, Outcome.REMOVED),)
        assert isinstance(ledger.trouble, JournalError)


def test_rows_wait_for_others_or_for_what_may_not_wait_and_are_committed_together(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "SELECT count(*) FROM host"
    monkeypatch.setattr("fleetsweep.store.journal.writer.ROWS_WAIT_S", 60.0)
    with Journal(state, "run", "sweep") as journal:
        for number in range(MOST_ROWS - 1):
            journal.record_host(surveyed(f"host-{number}"), looked=True)
        wait_for(journal._waiting.empty, "the writer taking the rows")
        assert on_disk(state, rows) == [(0,)]
        journal.record_host(surveyed("one-more"), looked=True)
        wait_for(lambda: on_disk(state, rows) == [(MOST_ROWS,)], "the rows on the disk")
        journal.record_host(surveyed("last"), looked=True)
        journal.for_host(HOST).intend(many(1)[0])
        assert on_disk(state, rows) == [(MOST_ROWS + 1,)]
        monkeypatch.setattr("fleetsweep.store.journal.writer.ROWS_WAIT_S", 0.01)
        journal.for_host(HOST).intend(many(1, 1)[0])
        journal.record_host(surveyed("alone"), looked=True)
        wait_for(lambda: on_disk(state, rows) == [(MOST_ROWS + 2,)], "the last row on the disk")
