"""What was intended and what came of it, on disk before and after each removal."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
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
    """One run's intents and outcomes. Threads may share it.

    One thread writes. It takes all that waits and commits it as one transaction with full sync: a sync costs
    milliseconds and does not depend on how much it makes durable. What is queued first is durable first, and after
    the first failure nothing more is written: each later call raises JournalError.
    """

    def __init__(self, state_dir: Path, run_id: str, command: str) -> None:
        path = prepare_state_dir(state_dir) / "journal.db"
        self.run_id = run_id
        self._lock = threading.Lock()
        self._waiting: SimpleQueue[_Entry | None] = SimpleQueue()
        self._queued = 0
        self._durable = 0
        self._broken: str | None = None
        try:
            # SQLite would follow a symlink, and make the file readable for others.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            self._database = sqlite3.connect(path, check_same_thread=False, timeout=10, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"journal {path}: {error}: give another place with --state-dir") from error
        try:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
            self._database.execute("INSERT INTO run VALUES (?, ?, ?)", (run_id, command, time.time_ns()))
        except sqlite3.Error as error:
            self._database.close()
            raise UsageError(f"journal {path}: {error}: free space there, or give --state-dir") from error
        # From here on the database is the writer's alone.
        self._writer = threading.Thread(target=self._write_all, name="fleetsweep-journal", daemon=True)
        self._writer.start()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Commit what still waits, then close the database."""
        with self._lock:
            self._broken = self._broken or "the journal is closed"
            self._waiting.put(None)
        self._writer.join()

    def for_host(self, host: Host) -> HostJournal:
        """The part of the journal that one host's removals write to."""
        return HostJournal(self, host.name)

    def write(self, statement: str, values: tuple[object, ...]) -> int:
        """Commit one statement; it is durable when this returns. Answers the row's id. Raises JournalError."""
        entry = _Entry(statement, values)
        self._queue(entry)
        entry.done.wait()
        if entry.error is not None:
            raise JournalError(entry.error)
        return entry.row

    def post(self, statement: str, values: tuple[object, ...]) -> int:
        """Queue one statement and go on; answers its number, for ``flush``. Raises JournalError if it is broken."""
        return self._queue(_Entry(statement, values))

    def flush(self, number: int | None = None) -> None:
        """Wait until all that was queued, or all up to ``number``, is durable. Raises JournalError if it won't be."""
        with self._lock:
            wanted = self._queued if number is None else number
            if self._durable >= wanted:
                return
            if self._broken is not None:
                raise JournalError(self._broken)
            mark = _Entry("", ())
            self._waiting.put(mark)
        mark.done.wait()
        if self._durable < wanted:
            raise JournalError(mark.error or "the journal is closed")

    def _queue(self, entry: _Entry) -> int:
        with self._lock:
            if self._broken is not None:
                raise JournalError(self._broken)
            self._queued += 1
            self._waiting.put(entry)
            return self._queued

    def _write_all(self) -> None:
        """The writer's life: all that waits as one transaction, again and again until the end is queued."""
        failure: str | None = None
        going = True
        while going:
            batch: list[_Entry] = []
            entry = self._waiting.get()
            while entry is not None:
                batch.append(entry)
                try:
                    entry = self._waiting.get_nowait()
                except Empty:
                    break
            else:
                going = False
            statements = [entry for entry in batch if entry.statement]
            failure = failure or self._commit(statements)
            with self._lock:
                if failure is None:
                    self._durable += len(statements)
                else:
                    self._broken = failure
            for entry in batch:
                entry.error = failure
                entry.done.set()
        self._database.close()

    def _commit(self, entries: list[_Entry]) -> str | None:
        """Make the entries durable, all or none; answers what hindered it."""
        if not entries:
            return None
        try:
            self._database.execute("BEGIN IMMEDIATE")
            for entry in entries:
                entry.row = self._database.execute(entry.statement, entry.values).lastrowid or 0
            self._database.execute("COMMIT")
        except Exception as error:  # whatever it is, a thread that waits for this must hear of it
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            return f"the journal can't be written: {error}: free space in the state directory"
        return None


@dataclass(slots=True, eq=False)
class _Entry:
    """A statement that waits to be committed; without one, a mark that is reached when all before it was."""

    statement: str
    values: tuple[object, ...]
    done: threading.Event = field(default_factory=threading.Event)
    row: int = 0
    error: str | None = None


class HostJournal:
    """Writes one host's intents and outcomes."""

    def __init__(self, journal: Journal, host: str) -> None:
        self._journal = journal
        self._host = host
        self._posted: list[int] = []

    def intend(self, container: Container, /) -> int:
        """Record an intent; it is durable when this returns. Raises JournalError."""
        return self._journal.write(
            "INSERT INTO intent (run, host, container_id, name, at_ns) VALUES (?, ?, ?, ?, ?)",
            (self._journal.run_id, self._host, container.id, container.name, time.time_ns()),
        )

    def conclude(self, intent: int, removal: Removal, /) -> None:
        """Queue an intent's one outcome; ``flush`` waits for it. Raises JournalError if the journal is broken."""
        number = self._journal.post(
            "UPDATE intent SET outcome = ?, error = ?, concluded_ns = ? WHERE id = ? AND outcome IS NULL",
            (removal.outcome, (removal.error or "")[:500] or None, time.time_ns(), intent),
        )
        self._posted.append(number)

    def flush(self) -> None:
        """Wait until this host's outcomes are durable. Raises JournalError if one of them won't be."""
        self._journal.flush(max(self._posted, default=0))
