"""The file: its tables, how it is opened to write and to read, and what is wrong with it."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from fleetsweep.errors import FleetsweepError, UsageError
from fleetsweep.model.container import SECOND
from fleetsweep.store.state_dir import free_space, open_private, prepare_state_dir

KEPT_NS: Final = 90 * 86_400 * SECOND
"""How long runs, and holds that have ended, are remembered. Runs with an open intent stay until it is settled."""

_FIRST: Final = """
CREATE TABLE run (
    id TEXT PRIMARY KEY, command TEXT NOT NULL, dry_run INTEGER NOT NULL, started_ns INTEGER NOT NULL,
    finished_ns INTEGER, exit_code INTEGER, plan TEXT);
CREATE TABLE host (
    run TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE, name TEXT NOT NULL, endpoint TEXT NOT NULL,
    status TEXT NOT NULL, surveyed INTEGER NOT NULL, error TEXT, containers INTEGER NOT NULL,
    matched INTEGER NOT NULL, stale INTEGER NOT NULL, removed INTEGER NOT NULL, skew_s REAL,
    duration_s REAL NOT NULL, PRIMARY KEY (run, name)) WITHOUT ROWID;
CREATE TABLE intent (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE, host TEXT NOT NULL,
    endpoint TEXT NOT NULL, container_id TEXT NOT NULL, name TEXT NOT NULL, at_ns INTEGER NOT NULL,
    outcome TEXT, error TEXT, concluded_ns INTEGER, settled TEXT, settled_run TEXT, settled_ns INTEGER);
CREATE INDEX unsettled ON intent (id) WHERE settled IS NULL AND (outcome IS NULL OR outcome = 'unknown');
CREATE VIEW open_intent AS SELECT * FROM intent WHERE settled IS NULL AND (outcome IS NULL OR outcome = 'unknown')
"""

# A database of the first version may have the table of holds already, or may not.
_HOLDS_AND_IDENTITIES: Final = """
CREATE TABLE IF NOT EXISTS hold (
    container_id TEXT PRIMARY KEY, host TEXT NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL, by TEXT NOT NULL,
    since_ns INTEGER NOT NULL, until_ns INTEGER NOT NULL) WITHOUT ROWID;
ALTER TABLE intent ADD COLUMN identity TEXT NOT NULL DEFAULT ''
"""

MIGRATIONS: Final = (_FIRST, _HOLDS_AND_IDENTITIES)
"""What brings the tables from each version to the next one, in order. Statements end with a semicolon."""

VERSION: Final = len(MIGRATIONS)
"""Of the tables. An older file is brought up to it, a newer one is refused and left as it is."""


class JournalError(FleetsweepError):
    """The journal can't be written, so nothing may be removed."""


class NoJournalError(UsageError):
    """There is no journal: nothing has been written down in that state directory."""


def journal_file(state_dir: Path) -> Path:
    """Where the journal lies in its state directory."""
    return state_dir / "journal.db"


@contextmanager
def writing(state_dir: Path) -> Iterator[sqlite3.Connection]:
    """The journal to write in outside of any run; each statement is durable once it was executed. Raises UsageError."""
    with closing(open_journal(state_dir)) as opened, translated(journal_file(state_dir)):
        yield opened


def open_journal(state_dir: Path) -> sqlite3.Connection:
    """The journal to write in: made if there is none, brought up to this version. Raises UsageError."""
    path = journal_file(prepare_state_dir(state_dir))
    os.close(open_private(path))
    with translated(path):
        # The thread that opens it is not the one that writes.
        database = sqlite3.connect(path, check_same_thread=False, timeout=10, isolation_level=None)
        try:
            _prepare(database, path)
        except BaseException:
            database.close()
            raise
        return database


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into UsageErrors that say what to do."""
    try:
        yield
    except sqlite3.Error as error:
        # What is wrong with the file is a DatabaseError itself, what is wrong with the disk is one of its kinds.
        broken = type(error) is sqlite3.DatabaseError
        remedy = "move it away" if broken else f"free space in {path.parent}{free_space(path.parent)}"
        raise UsageError(f"journal {path}: {error}: {remedy}, or give --state-dir") from error


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    execute = database.execute
    execute("PRAGMA journal_mode = WAL")
    execute("PRAGMA synchronous = FULL")
    execute("PRAGMA foreign_keys = ON")
    # Two runs may open a new file at once: the second finds the first one's tables.
    execute("BEGIN IMMEDIATE")
    (version,) = execute("PRAGMA user_version").fetchone()
    foreign = version == 0 and execute("SELECT count(*) FROM sqlite_schema").fetchone() != (0,)
    if foreign or not 0 <= version <= VERSION:
        execute("ROLLBACK")
        raise _other_version(path, version)
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        for statement in script.split(";"):
            execute(statement)
        execute(f"PRAGMA user_version = {number}")
    execute("COMMIT")


def _other_version(path: Path, version: int) -> UsageError:
    if version > VERSION:
        return UsageError(f"journal {path} was written by a newer version of fleetsweep: update this one")
    return UsageError(f"journal {path} was not written by fleetsweep: move it away")


@contextmanager
def reading(state_dir: Path) -> Iterator[sqlite3.Connection]:
    """The journal to read in: one moment's state, whatever a run writes meanwhile.

    Raises UsageError where it can't be read, and NoJournalError where there is none.
    """
    path = journal_file(state_dir)
    try:
        # Not what a link leads to: SQLite makes files beside a journal that it reads.
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        raise NoJournalError(f"no run is remembered in {state_dir}: give the runs' own --state-dir") from None
    except OSError as error:
        raise _unreadable(path, error.strerror or type(error).__name__) from error
    if not stat.S_ISREG(found.st_mode):
        raise _unreadable(path, "is not a file")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=10)) as opened:
            # A reader that may not write would leave the files behind that it makes beside the journal.
            opened.execute("PRAGMA query_only = ON")
            (version,) = opened.execute("PRAGMA user_version").fetchone()
            # An older one is read as it is: whoever only reads may not be the one who may write.
            if not 0 < version <= VERSION:
                raise _other_version(path, version)
            opened.execute("BEGIN")
            yield opened
    except sqlite3.Error as error:
        raise _unreadable(path, str(error)) from error


def _unreadable(path: Path, why: str) -> UsageError:
    return UsageError(f"journal {path}: {why}: ask as the account that owns it, or give the runs' own --state-dir")
