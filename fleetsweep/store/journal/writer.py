"""Writing the journal: an intent before each removal, its outcome afterwards."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Final

from fleetsweep.model.container import Target
from fleetsweep.model.decision import Decision
from fleetsweep.model.host import Host
from fleetsweep.model.leak import LeaksSeen
from fleetsweep.model.outcome import Removal
from fleetsweep.model.report import FleetReport, HostReport
from fleetsweep.store.journal.database import JournalError, journal_file, open_journal, remedy_of, storable, translated
from fleetsweep.store.journal.leaks import IMAGE_LIMIT, leak_statements
from fleetsweep.store.journal.retention import bound_statements, forget_statements
from fleetsweep.store.journal.rows import guard_statement, row_statements

if TYPE_CHECKING:
    from fleetsweep.model.evidence import Evidence
    from fleetsweep.model.intent import OpenIntent, Settlement

ROWS_WAIT_S: Final = 1.0
"""Seconds that hosts' rows may wait to be committed together."""

MOST_ROWS: Final = 100
"""Statements of rows that wait at most."""


class Journal:
    """The journal of one run. Thread-safe.

    Group commit: one writer thread commits all queued statements as one transaction with full sync, since a sync takes
    milliseconds however much it makes durable. Statements become durable in the order in which they were queued. After
    the first failure nothing more is written, and each later call raises JournalError. ``clock`` returns nanoseconds
    since the Unix epoch.
    """

    def __init__(
        self,
        state_dir: Path,
        run_id: str,
        command: str,
        *,
        dry_run: bool = False,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        path = journal_file(state_dir)
        self.run_id = run_id
        self.clock = clock
        self._path = path
        self._lock = threading.Lock()
        self._waiting: SimpleQueue[_Entry | None] = SimpleQueue()
        self._queued = 0
        self._durable = 0
        self._broken: str | None = None
        self._recorded: set[str] = set()
        self._database = open_journal(state_dir)
        try:
            with translated(path):
                self._database.execute(
                    "INSERT INTO run (id, command, dry_run, started_ns) VALUES (?, ?, ?, ?)",
                    (run_id, command, dry_run, clock()),
                )
        except BaseException:
            self._database.close()
            raise
        # From here on only the writer thread uses the database.
        self._writer = threading.Thread(target=self._write_all, name="fleetsweep-journal", daemon=True)
        self._writer.start()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Commit what is still queued, then close the database."""
        with self._lock:
            self._broken = self._broken or "the journal is closed"
            self._waiting.put(None)
        self._writer.join()

    def for_host(self, host: Host, identity: str = "", decisions: Sequence[Decision] = ()) -> HostJournal:
        """Return the journal of one host's removals, whose reasons ``decisions`` give.

        ``identity`` is ``identity_of`` its engine.
        """
        return HostJournal(self, host, identity, decisions)

    def open_intents(self) -> list[OpenIntent]:
        """Return the intents whose outcome is not known yet, oldest first. Raises JournalError."""
        rows = self.read(
            "SELECT id, run, host, endpoint, container_id, name, at_ns, identity FROM open_intent ORDER BY id"
        )
        if not rows:
            return []
        from fleetsweep.model.intent import OpenIntent

        return [OpenIntent(*row) for row in rows]  # type: ignore[arg-type]

    def last_looks(self) -> dict[str, int]:
        """Return by host when the last finished run that surveyed it started, in nanoseconds. Raises JournalError."""
        rows = self.read(
            "SELECT host.name, max(run.started_ns) FROM host JOIN run ON run.id = host.run "
            "WHERE host.surveyed AND run.finished_ns IS NOT NULL GROUP BY host.name"
        )
        return dict(rows)  # type: ignore[arg-type]

    def previous_run_ns(self) -> int | None:
        """Return when the previous run started, in nanoseconds; None for the first run. Raises JournalError."""
        rows = self.read("SELECT started_ns FROM run WHERE id <> ? ORDER BY rowid DESC LIMIT 1", (self.run_id,))
        return int(str(rows[0][0])) if rows else None

    def settle(self, settled: Mapping[str, Sequence[Settlement]]) -> None:
        """Queue the outcomes found for earlier runs' open intents. Raises JournalError if the journal is broken."""
        now_ns = self.clock()
        for settlement in (each for found in settled.values() for each in found if each.final):
            self.post(
                "UPDATE intent SET outcome = 'unknown', settled = ?, settled_run = ?, settled_ns = ?, "
                "concluded_ns = coalesce(concluded_ns, ?) WHERE id IN (SELECT id FROM open_intent WHERE id = ?)",
                (settlement.outcome, self.run_id, now_ns, now_ns, settlement.intent.number),
            )

    def record_plan(self, document: str) -> None:
        """Record the plan that is about to be carried out. Durable on return. Raises JournalError."""
        self.write("UPDATE run SET plan = ? WHERE id = ?", (document, self.run_id))

    def finish(
        self,
        report: FleetReport,
        *,
        looked: bool,
        leaks: Mapping[str, LeaksSeen] | None = None,
        documents: Sequence[bytes] = (),
        forget_before_ns: int | None = None,
    ) -> None:
        """Record the hosts' rows that are not recorded yet and the run's end. Durable on return. Raises JournalError.

        ``looked`` is False for a run that carried out a saved plan: it surveyed no host. ``leaks`` are by host, and
        ``documents`` the parts of the report, compressed. With ``forget_before_ns``, delete what ended before it, as
        ``retention.forget`` describes.
        """
        for row in report.hosts:
            if row.host.name not in self._recorded:
                self.record_host(row, looked=looked)
        if report.guard is not None:
            self.post(*guard_statement(self.run_id, report.guard))
        for host, seen in (leaks or {}).items():
            for statement in leak_statements(self.run_id, host, seen, report, looked=looked):
                self.post(*statement)
        for part, document in enumerate(documents):
            self.post("INSERT INTO report_part (run, part, document) VALUES (?, ?, ?)", (self.run_id, part, document))
        if forget_before_ns is not None:
            for statement in forget_statements(self.run_id, report.finished_ns, forget_before_ns):
                self.post(*statement)
        for statement in bound_statements():
            self.post(*statement)
        self.write(
            "UPDATE run SET finished_ns = ?, exit_code = ? WHERE id = ?",
            (report.finished_ns, report.exit_code, self.run_id),
        )

    def record_host(self, row: HostReport, *, looked: bool) -> None:
        """Queue a host's row, which no later step changes. Raises JournalError if the journal is broken.

        It is durable within ROWS_WAIT_S, since many are committed together. Counters change only when the run ends.
        ``looked`` is as in ``finish``.
        """
        entries = [_Entry(*each, may_wait=True) for each in row_statements(self.run_id, row, looked=looked)]
        self._recorded.add(row.host.name)
        for entry in entries:
            self._queue(entry)

    def read(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """Return all rows of a query, read on a connection of its own. Raises JournalError."""
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=10)) as reader:
                return reader.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise JournalError(f"journal {self._path} can't be read: {error}") from error

    def write(self, statement: str, values: tuple[object, ...]) -> int:
        """Commit one statement and return its row id. Durable on return. Raises JournalError."""
        done = threading.Event()
        entry = _Entry(statement, values, done)
        self._queue(entry)
        done.wait()
        if entry.error is not None:
            raise JournalError(entry.error)
        return entry.row

    def post(self, statement: str, values: tuple[object, ...]) -> int:
        """Queue one statement and return its number, for ``flush``. Raises JournalError if the journal is broken."""
        return self._queue(_Entry(statement, values))

    def flush(self, number: int | None = None) -> None:
        """Wait until all queued statements, or those up to ``number``, are durable. Raises JournalError."""
        with self._lock:
            wanted = self._queued if number is None else number
            if self._durable >= wanted:
                return
            if self._broken is not None:
                raise JournalError(self._broken)
            done = threading.Event()
            mark = _Entry("", (), done)
            self._waiting.put(mark)
        done.wait()
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
        """Commit all that is queued as one transaction, again and again, until the end mark None is taken."""
        failure: str | None = None
        running = True
        while running:
            batch, running = self._next_batch()
            statements = [entry for entry in batch if entry.statement]
            failure = failure or self._commit(statements)
            with self._lock:
                if failure is None:
                    self._durable += len(statements)
                else:
                    self._broken = failure
            for entry in batch:
                entry.error = failure
                if entry.done is not None:
                    entry.done.set()
        self._database.close()

    def _next_batch(self) -> tuple[list[_Entry], bool]:
        """Return all that is queued, at least one entry or the end mark, and whether the end mark is still to come.

        While all of it may wait, wait for more.
        """
        batch: list[_Entry] = []
        entry = self._waiting.get()
        waits_until = time.monotonic() + ROWS_WAIT_S
        while entry is not None:
            batch.append(entry)
            if not entry.may_wait or len(batch) >= MOST_ROWS:
                waits_until = 0.0
            left_s = waits_until - time.monotonic()
            try:
                entry = self._waiting.get(timeout=left_s) if left_s > 0 else self._waiting.get_nowait()
            except Empty:
                return batch, True
        return batch, False

    def _commit(self, entries: list[_Entry]) -> str | None:
        """Make the entries durable, all or none. Return an error message, None on success."""
        if not entries:
            return None
        try:
            self._database.execute("BEGIN IMMEDIATE")
            for entry in entries:
                values = tuple(storable(value) if isinstance(value, str) else value for value in entry.values)
                entry.row = self._database.execute(entry.statement, values).lastrowid or 0
            self._database.execute("COMMIT")
        except Exception as error:  # any error must reach the threads that wait for these entries
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            return f"the journal can't be written: {error}: {remedy_of(error, self._path)}"
        return None


@dataclass(slots=True, eq=False)
class _Entry:
    """A queued statement. An empty one is a mark: it is done when every statement before it is.

    ``done`` is set then, where a thread waits for it. One that ``may_wait`` is committed with others that come soon.
    """

    statement: str
    values: tuple[object, ...]
    done: threading.Event | None = None
    may_wait: bool = False
    row: int = 0
    error: str | None = None


def _why(decision: Decision | None) -> tuple[str | int | None, ...]:
    """Return the values of an intent's columns from ``image`` on; None for a volume or network."""
    if decision is None:
        return (None,) * 6
    return (
        decision.container.image[:IMAGE_LIMIT],
        decision.reason,
        decision.age_s,
        decision.age_from,
        ",".join(decision.matched_by),
        json.dumps(dict(decision.attributes)),
    )


class HostJournal:
    """The journal of one host: its intents and outcomes."""

    def __init__(self, journal: Journal, host: Host, identity: str, decisions: Sequence[Decision]) -> None:
        self._journal = journal
        self._host = host
        self._identity = identity
        self._decisions = {decision.container.id: decision for decision in decisions}
        self._posted: list[int] = []

    def intend(self, target: Target, /) -> int:
        """Record an intent and return its id. Durable on return. Raises JournalError."""
        return self._journal.write(
            "INSERT INTO intent (run, host, endpoint, identity, container_id, name, at_ns, image, reason, age_s, "
            "age_from, matched_by, attributes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._journal.run_id,
                self._host.name,
                self._host.endpoint,
                self._identity,
                target.id,
                target.name,
                self._journal.clock(),
                *_why(self._decisions.get(target.id)),
            ),
        )

    def conclude(self, intent: int, removal: Removal, /) -> None:
        """Queue the outcome of an intent; ``flush`` waits for it. Raises JournalError if the journal is broken."""
        number = self._journal.post(
            "UPDATE intent SET outcome = ?, error = ?, concluded_ns = ? WHERE id = ? AND outcome IS NULL",
            (removal.outcome, (removal.error or "")[:500] or None, self._journal.clock(), intent),
        )
        self._posted.append(number)

    def keep(self, intent: int, evidence: Evidence, /) -> None:
        """Queue an intent's evidence; ``flush`` waits for it. Raises JournalError if the journal is broken."""
        number = self._journal.post(
            "INSERT OR IGNORE INTO evidence (intent, at_ns, inspect, logs, error) VALUES (?, ?, ?, ?, ?)",
            (intent, time.time_ns(), evidence.inspect, evidence.logs, evidence.error),
        )
        self._posted.append(number)

    def flush(self) -> None:
        """Wait until this host's outcomes and evidence are durable. Raises JournalError if one can't be written."""
        self._journal.flush(max(self._posted, default=0))
