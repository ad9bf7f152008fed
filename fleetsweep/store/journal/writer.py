"""Writing the journal: an intent before each removal, its outcome afterwards."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Final

from fleetsweep.model.container import Target
from fleetsweep.model.decision import Decision, Guard
from fleetsweep.model.host import Host
from fleetsweep.model.leak import LeaksSeen
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.report import FleetReport, HostReport
from fleetsweep.store.journal.database import JournalError, journal_file, open_journal, remedy_of, storable, translated
from fleetsweep.store.journal.leaks import IMAGE_LIMIT, leak_statements
from fleetsweep.store.journal.retention import bound_statements, forget_statements

if TYPE_CHECKING:
    from fleetsweep.model.evidence import Evidence
    from fleetsweep.model.intent import OpenIntent, Settlement

GROUPS_LIMIT: Final = 4000
"""Characters that are kept of a host's groups, as JSON."""


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
            "WHERE host.surveyed GROUP BY host.name"
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
        """Record every host's row and the run's end. Durable on return. Raises JournalError.

        ``looked`` is False for a run that carried out a saved plan: it surveyed no host. ``leaks`` are by host, and
        ``documents`` the parts of the report, compressed. With ``forget_before_ns``, delete what ended before it, as
        ``retention.forget`` describes.
        """
        for row in report.hosts:
            self._record_host(row, report.guard, looked=looked)
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

    def _record_host(self, row: HostReport, fleet_guard: Guard | None, *, looked: bool) -> None:
        plan = row.plan
        guard = row.guarded_by or fleet_guard
        problem = row.fault.message if row.fault else guard.message if guard else None
        candidates = plan.candidates if plan else ()
        self.post(
            "INSERT INTO host (run, name, endpoint, status, surveyed, error, containers, matched, stale, removed, "
            "skew_s, duration_s, guard, phase, kind, oldest_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self.run_id,
                row.host.name,
                row.host.endpoint,
                row.status,
                looked and plan is not None,
                problem and problem[:500],
                plan.containers if plan else 0,
                len(plan.decisions) if plan else 0,
                len(candidates),
                sum(removal.outcome is Outcome.REMOVED for removal in row.removals),
                plan.skew_s if plan else None,
                row.duration_s,
                guard.name if guard else None,
                row.fault.phase if row.fault else None,
                row.fault.kind if row.fault else None,
                max((decision.age_s for decision in candidates if decision.age_s is not None), default=None),
            ),
        )
        if row.host.groups:
            self.post(
                "INSERT INTO host_groups VALUES (?, ?) ON CONFLICT (host) DO UPDATE SET groups = excluded.groups "
                "WHERE groups <> excluded.groups",
                (row.host.name, json.dumps(row.host.groups)[:GROUPS_LIMIT]),
            )

    def read(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """Return all rows of a query, read on a connection of its own. Raises JournalError."""
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=10)) as reader:
                return reader.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise JournalError(f"journal {self._path} can't be read: {error}") from error

    def write(self, statement: str, values: tuple[object, ...]) -> int:
        """Commit one statement and return its row id. Durable on return. Raises JournalError."""
        entry = _Entry(statement, values)
        self._queue(entry)
        entry.done.wait()
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
        """Commit all that is queued as one transaction, again and again, until the end mark None is taken."""
        failure: str | None = None
        running = True
        while running:
            batch: list[_Entry] = []
            entry = self._waiting.get()
            while entry is not None:
                batch.append(entry)
                try:
                    entry = self._waiting.get_nowait()
                except Empty:
                    break
            else:
                running = False
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
    """A queued statement. An empty one is a mark: it is done when every statement before it is."""

    statement: str
    values: tuple[object, ...]
    done: threading.Event = field(default_factory=threading.Event)
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
