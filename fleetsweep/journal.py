"""What was intended and what came of it, on disk before and after each removal."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from pathlib import Path
from types import TracebackType

from fleetsweep.errors import FleetsweepError, UsageError
from fleetsweep.model import Container, Host, Removal

_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (id TEXT PRIMARY KEY, command TEXT NOT NULL, started_ns INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS intent (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES run(id), host TEXT NOT NULL, container_id TEXT NOT NULL,
    name TEXT NOT NULL, at_ns INTEGER NOT NULL, outcome TEXT, error TEXT, concluded_ns INTEGER);
"""


class JournalError(FleetsweepError):
    """The journal can't be written, so nothing may be removed."""


def prepare_state_dir(path: Path) -> Path:
    """The state directory, made 0700 if it isn't there. Raises UsageError unless it is safe to write in."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise UsageError(f"state directory {path}: {error.strerror}: give another one with --state-dir") from error
    if not stat.S_ISDIR(found.st_mode):
        raise UsageError(f"state directory {path} is not a real directory: give another one with --state-dir")
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise UsageError(f"state directory {path} must be yours alone to write: chown it to you and chmod 700 {path}")
    return path


class Journal:
    """One run's intents and outcomes. Threads may share it."""

    def __init__(self, state_dir: Path, run_id: str, command: str) -> None:
        path = prepare_state_dir(state_dir) / "journal.db"
        self._lock = threading.Lock()
        self._run_id = run_id
        try:
            # SQLite would follow a symlink, and make the file readable for others.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            self._database = sqlite3.connect(path, check_same_thread=False, timeout=10, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"journal {path}: {error}: give another place with --state-dir") from error
        try:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.executescript(_SCHEMA)
            self._database.execute("INSERT INTO run VALUES (?, ?, ?)", (run_id, command, time.time_ns()))
        except sqlite3.Error as error:
            self._database.close()
            raise UsageError(f"journal {path}: {error}: free space there, or give --state-dir") from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._database.close()

    def for_host(self, host: Host) -> HostJournal:
        """The part of the journal that one host's removals write to."""
        return HostJournal(self, host.name)

    def write(self, statement: str, values: tuple[object, ...]) -> int:
        """Commit one statement with full sync; answers the row's id. Raises JournalError."""
        try:
            with self._lock:
                return self._database.execute(statement, values).lastrowid or 0
        except sqlite3.Error as error:
            raise JournalError(f"the journal can't be written: {error}: free space in the state directory") from error

    def intend(self, host: str, container: Container) -> int:
        """Record an intent; it is on disk when this returns. Raises JournalError."""
        return self.write(
            "INSERT INTO intent (run, host, container_id, name, at_ns) VALUES (?, ?, ?, ?, ?)",
            (self._run_id, host, container.id, container.name, time.time_ns()),
        )


class HostJournal:
    """Writes one host's intents and outcomes."""

    def __init__(self, journal: Journal, host: str) -> None:
        self._journal = journal
        self._host = host

    def intend(self, container: Container, /) -> int:
        """Record an intent; it is on disk when this returns. Raises JournalError."""
        return self._journal.intend(self._host, container)

    def conclude(self, intent: int, removal: Removal, /) -> None:
        """Record an intent's one outcome. Raises JournalError."""
        self._journal.write(
            "UPDATE intent SET outcome = ?, error = ?, concluded_ns = ? WHERE id = ? AND outcome IS NULL",
            (removal.outcome, (removal.error or "")[:500] or None, time.time_ns(), intent),
        )
