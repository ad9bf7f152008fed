"""Holds in the journal: containers that somebody wants left alone for a while."""

from __future__ import annotations

from pathlib import Path

from fleetsweep.model.journal import Hold
from fleetsweep.store.journal.database import NoJournalError, reading, writing


def holds(state_dir: Path, now_ns: int) -> tuple[Hold, ...]:
    """Those that have not ended, by their ends. None where there is no journal. Raises UsageError."""
    try:
        with reading(state_dir) as journal:
            # A journal of before there were holds has no table for them until the next run writes in it.
            if journal.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'hold'").fetchone() == (0,):
                return ()
            rows = journal.execute(
                "SELECT container_id, host, name, reason, by, since_ns, until_ns FROM hold WHERE until_ns > ? "
                "ORDER BY until_ns, container_id",
                (now_ns,),
            )
            return tuple(Hold(*row) for row in rows)
    except NoJournalError:
        return ()


def place_hold(state_dir: Path, hold: Hold) -> None:
    """Write a hold down, in place of an earlier one of the same container. It is durable when this returns.

    Raises UsageError.
    """
    with writing(state_dir) as journal:
        journal.execute(
            "INSERT OR REPLACE INTO hold (container_id, host, name, reason, by, since_ns, until_ns) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (hold.container_id, hold.host, hold.name, hold.reason, hold.by, hold.since_ns, hold.until_ns),
        )


def release_hold(state_dir: Path, container_id: str) -> None:
    """End the hold of a container. Raises UsageError."""
    with writing(state_dir) as journal:
        journal.execute("DELETE FROM hold WHERE container_id = ?", (container_id,))
