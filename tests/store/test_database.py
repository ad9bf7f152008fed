"""The journal's database file: opened to write or to read, or refused with a remedy."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.store.journal.database import (
    NoJournalError,
    journal_file,
    open_journal,
    reading,
    translated,
    writing,
)

INSERT = "INSERT INTO run (id, command, dry_run, started_ns) VALUES (?, 'audit', 0, 1)"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def ids(state: Path) -> list[str]:
    with reading(state) as journal:
        return [row[0] for row in journal.execute("SELECT id FROM run ORDER BY id")]


def test_a_journal_is_created_for_its_owner_alone_and_syncs_fully(state: Path) -> None:
    with closing(open_journal(state)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)
    assert journal_file(state).stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700


def test_what_was_executed_is_there_for_the_next_reader(state: Path) -> None:
    with writing(state) as journal:
        journal.execute(INSERT, ("a",))
        assert ids(state) == ["a"]


def test_a_reader_sees_one_moment_while_another_writes(state: Path) -> None:
    with writing(state) as journal, reading(state) as reader:
        assert reader.execute("SELECT count(*) FROM run").fetchone() == (0,)
        journal.execute(INSERT, ("a",))
        assert reader.execute("SELECT count(*) FROM run").fetchone() == (0,)
        assert ids(state) == ["a"]


def test_a_reader_cannot_write(state: Path) -> None:
    with writing(state):
        pass
    with (
        pytest.raises(UsageError, match=r"readonly database: run this as the account that owns it"),
        reading(state) as journal,
    ):
        journal.execute(INSERT, ("a",))


def test_without_a_journal_a_reader_gets_an_error_of_its_own_and_makes_nothing(state: Path) -> None:
    with pytest.raises(NoJournalError, match="no run is recorded"), reading(state):
        pass
    assert not state.exists()


def test_a_damaged_journal_is_to_be_moved_away_and_a_failing_statement_is_not(state: Path) -> None:
    with writing(state):
        pass
    with pytest.raises(UsageError, match="free space in "), writing(state) as journal:
        journal.execute("INSERT INTO run (id) VALUES ('a')")
    for wrong in ("INSERT INTO other VALUES (1)", "INSERT INTO run (other) VALUES (1)"):
        with pytest.raises(UsageError, match="move it away"), writing(state) as journal:
            journal.execute(wrong)
    journal_file(state).write_bytes(b"junk " * 1000)
    with pytest.raises(UsageError, match="file is not a database: move it away, or give --state-dir"), writing(state):
        pass


def test_a_symlink_in_place_of_the_journal_is_refused_and_its_target_left_alone(state: Path, tmp_path: Path) -> None:
    state.mkdir(mode=0o700)
    target = tmp_path / "target"
    journal_file(state).symlink_to(target)
    with pytest.raises(UsageError, match="is a symlink: remove it"):
        open_journal(state)
    with pytest.raises(UsageError, match="is not a file"), reading(state):
        pass
    assert not target.exists()


def test_a_connection_waits_ten_seconds_for_another_writer(state: Path) -> None:
    with writing(state) as journal:
        assert journal.execute("PRAGMA busy_timeout").fetchone() == (10_000,)


def test_a_writer_that_waited_too_long_is_to_try_again(state: Path) -> None:
    with writing(state) as first, closing(open_journal(state)) as second:
        first.execute("BEGIN IMMEDIATE")
        second.execute("PRAGMA busy_timeout = 1")
        with pytest.raises(UsageError, match="is locked: run this again"), translated(journal_file(state)):
            second.execute("BEGIN IMMEDIATE")
