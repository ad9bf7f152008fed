"""Deleting old runs on request, and the size of the journal."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from fleetsweep.errors import UsageError
from fleetsweep.model.journal import JournalSize, Pruned
from fleetsweep.store.journal.database import has_leaks, journal_file, open_journal, reading, translated
from fleetsweep.store.state_dir import try_sweep_lock

# An open intent keeps its run: the next run that surveys its engine asks about it.
_RUNS: Final = """
DELETE FROM run WHERE started_ns < :before_ns AND id NOT IN (SELECT run FROM open_intent) AND id NOT IN (
    SELECT run FROM intent WHERE container_id IN (SELECT container_id FROM hold WHERE until_ns > :now_ns))
"""
_LEAKS: Final = """
DELETE FROM leak WHERE ended_ns < :before_ns
    AND container_id NOT IN (SELECT container_id FROM hold WHERE until_ns > :now_ns)
"""
_HOLDS: Final = "DELETE FROM hold WHERE until_ns < :before_ns"
_GROUPS: Final = "DELETE FROM host_groups WHERE host NOT IN (SELECT name FROM host)"


def prune(state_dir: Path, keep_ns: int, now_ns: int, holder: str) -> Pruned:
    """Delete the runs that began, and the leaks and holds that ended, more than ``keep_ns`` before the newest run.

    What is open or held is kept. The time counts from the newest run: a clock that is months ahead must not empty the
    journal. ``holder`` is the name in the lock. Raises UsageError while a sweep runs, and without a usable journal.
    """
    with reading(state_dir) as journal:
        (newest_ns,) = journal.execute("SELECT max(started_ns) FROM run").fetchone()
    before_ns = min(now_ns, newest_ns if newest_ns is not None else now_ns) - keep_ns
    path = journal_file(state_dir)
    before = _bytes(path)
    with try_sweep_lock(state_dir, holder) as free:
        if not free:
            raise UsageError(f"{state_dir}: a sweep is running: prune the journal when it has ended")
        with closing(open_journal(state_dir)) as journal, translated(path):
            deleted = _delete(journal, before_ns, now_ns)
            # The file shrinks only now. In the meantime SQLite needs as much space again.
            journal.execute("VACUUM")
            # A reader delays this; then the last connection to close does it.
            journal.execute("PRAGMA busy_timeout = 500")
            journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    runs, leaks, holds, kept = deleted
    return Pruned(before_ns, runs, leaks, holds, kept, before, _bytes(path))


def journal_size(state_dir: Path) -> JournalSize:
    """Return how large the journal is. Raises UsageError without a readable one."""
    path = journal_file(state_dir)
    with reading(state_dir) as journal:
        runs, first_run_ns = journal.execute("SELECT count(*), min(started_ns) FROM run").fetchone()
        reports = evidence = leaks = 0
        if has_leaks(journal):
            (reports,) = journal.execute("SELECT coalesce(sum(length(document)), 0) FROM report_part").fetchone()
            (evidence,) = journal.execute(
                "SELECT coalesce(sum(coalesce(length(inspect), 0) + coalesce(length(logs), 0)), 0) FROM evidence"
            ).fetchone()
            (leaks,) = journal.execute("SELECT count(*) FROM leak").fetchone()
        return JournalSize(str(path), _bytes(path), reports, evidence, runs, leaks, first_run_ns)


def _delete(journal: sqlite3.Connection, before_ns: int, now_ns: int) -> tuple[int, int, int, int]:
    """Return how many runs, leaks and holds were deleted, and how many older runs were kept."""
    values = {"before_ns": before_ns, "now_ns": now_ns}
    journal.execute("BEGIN IMMEDIATE")
    # rowcount does not count the rows that go with their run.
    counts = [journal.execute(statement, values).rowcount for statement in (_RUNS, _LEAKS, _HOLDS)]
    journal.execute(_GROUPS)
    (kept,) = journal.execute("SELECT count(*) FROM run WHERE started_ns < :before_ns", values).fetchone()
    journal.execute("COMMIT")
    runs, leaks, holds = counts
    return runs, leaks, holds, kept


def _bytes(path: Path) -> int:
    total = 0
    for each in (path, path.with_name(f"{path.name}-wal")):
        try:
            total += each.stat().st_size
        except OSError:
            # SQLite deletes the log with its last connection.
            continue
    return total
