"""Holds in the journal: containers that must not be removed until a given time."""

from __future__ import annotations

from pathlib import Path

from fleetsweep.model.hold import Hold
from fleetsweep.store.journal.database import NoJournalError, reading, writing


def holds(state_dir: Path, now_ns: int) -> tuple[Hold, ...]:
    """Return the holds that have not ended, the next to end first; none if there is no journal. Raises UsageError."""
    try:
        with reading(state_dir) as journal:
            # A journal of version 1 may have no table for holds until the next run migrates it.
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
    """Record a hold, replacing an earlier one of the same container. Durable on return. Raises UsageError."""
    with writing(state_dir) as journal:
        journal.execute(
            "INSERT OR REPLACE INTO hold (container_id, host, name, reason, by, since_ns, until_ns) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (hold.container_id, hold.host, hold.name, hold.reason, hold.by, hold.since_ns, hold.until_ns),
        )


def release_hold(state_dir: Path, container_id: str) -> None:
    """Delete the hold of a container, if there is one. Raises UsageError."""
    with writing(state_dir) as journal:
        journal.execute("DELETE FROM hold WHERE container_id = ?", (container_id,))
