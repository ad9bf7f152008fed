"""The journal's database file: opening it to write and to read, and reporting what is wrong with it."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from fleetsweep.errors import FleetsweepError, UsageError
from fleetsweep.model.container import SECOND
from fleetsweep.store.journal.migrations import check_schema, migrate, schema_version
from fleetsweep.store.state_dir import free_space, open_private, prepare_state_dir

Statement = tuple[str, tuple[object, ...]]
"""An SQL statement and its values."""

EVIDENCE_VERSION: Final = 3
"""The first schema version with reasons, leaks and evidence. A journal is migrated by the next run that writes it."""

KEPT_NS: Final = 90 * 86_400 * SECOND
"""Nanoseconds that runs and ended holds are kept. A run with an open intent is kept until the intent is settled."""


class JournalError(FleetsweepError):
    """The journal can't be written, so nothing may be removed."""


class NoRunError(UsageError):
    """No run's id begins with the given text."""


class NoJournalError(UsageError):
    """The state directory has no journal, so no run is recorded in it."""


def journal_file(state_dir: Path) -> Path:
    """Return the path of a state directory's journal."""
    return state_dir / "journal.db"


@contextmanager
def writing(state_dir: Path) -> Iterator[sqlite3.Connection]:
    """Open the journal to write outside a run; each statement is durable after ``execute``. Raises UsageError."""
    with closing(open_journal(state_dir)) as opened, translated(journal_file(state_dir)):
        yield opened


def open_journal(state_dir: Path) -> sqlite3.Connection:
    """Open the journal to write: create it if there is none, migrate an older one. Raises UsageError."""
    path = journal_file(prepare_state_dir(state_dir))
    os.close(open_private(path))
    with translated(path):
        # Opened by one thread, written by another.
        database = sqlite3.connect(path, check_same_thread=False, timeout=10, isolation_level=None)
        try:
            _prepare(database, path)
        except BaseException:
            database.close()
            raise
        return database


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into UsageErrors that name a remedy."""
    try:
        yield
    except sqlite3.Error as error:
        raise UsageError(f"journal {path}: {error}: {remedy_of(error, path)}, or give --state-dir") from error


def remedy_of(error: Exception, path: Path) -> str:
    """Return what to do about SQLite's error with the journal at ``path``."""
    if "is locked" in str(error):
        return "run this again when the other program has written"
    # SQLite raises DatabaseError itself for a damaged file, and a subclass of it for a full or failing disk.
    if type(error) is sqlite3.DatabaseError or re.search("no such|no column", str(error)):
        return "move it away"
    return f"free space in {path.parent}{free_space(path.parent)}"


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    # Before anything is changed: WAL mode is written into the file, and a newer journal, or another program's
    # database, must stay as it is.
    schema_version(database, path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA foreign_keys = ON")
    migrate(database, path)
    check_schema(database, path)


@contextmanager
def reading(state_dir: Path) -> Iterator[sqlite3.Connection]:
    """Open the journal to read one consistent state, also while a run writes.

    Raises UsageError where it can't be read, and NoJournalError where there is none.
    """
    path = journal_file(state_dir)
    try:
        # Links are not followed: SQLite would create its side files beside their target.
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        raise _no_journal(state_dir) from None
    except OSError as error:
        raise _unreadable(path, error.strerror or type(error).__name__) from error
    if not stat.S_ISREG(found.st_mode):
        raise _unreadable(path, "is not a file")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=10)) as opened:
            # Not mode=ro: such a reader can't delete the side files that it creates.
            opened.execute("PRAGMA query_only = ON")
            # A label with bad UTF-8 is stored as JSON; what SQLite takes out of it would not be readable as text.
            opened.text_factory = _decoded
            # An older schema is read as it is: the account that reads may not be allowed to write.
            if schema_version(opened, path) == 0:
                # A run has just created the file and not yet its tables.
                raise _no_journal(state_dir)
            opened.execute("BEGIN")
            yield opened
    except sqlite3.Error as error:
        raise _unreadable(path, str(error)) from error


def storable(text: str) -> str:
    """Return a text that SQLite can store: a name from a box may have lone surrogates, which UTF-8 does not."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def has_leaks(journal: sqlite3.Connection) -> bool:
    """Whether the schema has reasons, leaks and reports. Raises sqlite3.Error.

    A journal that is only read is not migrated.
    """
    (version,) = journal.execute("PRAGMA user_version").fetchone()
    return int(version) >= EVIDENCE_VERSION


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace")


def _no_journal(state_dir: Path) -> NoJournalError:
    return NoJournalError(f"no run is recorded in {state_dir}: give the runs' own --state-dir")


def _unreadable(path: Path, why: str) -> UsageError:
    return UsageError(f"journal {path}: {why}: run this as the account that owns it, or give the runs' own --state-dir")
