"""Forgetting: what a run deletes from the journal when it ends, by age and by size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fleetsweep.store.journal.database import Statement

REPORT_BYTES: Final = 64 * 1024 * 1024
"""Bytes of compressed reports that are kept; the oldest go first. A run's rows stay."""

EVIDENCE_BYTES: Final = 256 * 1024 * 1024
"""Bytes of evidence that are kept; the oldest goes first. A removal's row stays."""


def forget_statements(run_id: str, now_ns: int, before_ns: int) -> Iterator[Statement]:
    """Yield the statements that delete the runs that started before ``before_ns`` and what ended before it.

    A run with an open intent is kept, but the intent is given up, so that a rebuilt box is not asked about it for ever.
    """
    yield "DELETE FROM run WHERE started_ns < ? AND id NOT IN (SELECT run FROM open_intent)", (before_ns,)
    yield (
        "UPDATE intent SET outcome = 'unknown', settled = 'unknown', settled_run = ?, settled_ns = ? "
        "WHERE id IN (SELECT id FROM open_intent WHERE at_ns < ?)",
        (run_id, now_ns, before_ns),
    )
    yield "DELETE FROM hold WHERE until_ns < ?", (before_ns,)
    yield "DELETE FROM leak WHERE last_seen_ns < ?", (before_ns,)
    yield "DELETE FROM last_match WHERE at_ns < ?", (before_ns,)


def bound_statements() -> Iterator[Statement]:
    """Yield the statements that delete the oldest reports and evidence beyond the bytes that are kept."""
    yield (
        "DELETE FROM report_part WHERE rowid <= coalesce((SELECT rowid FROM (SELECT rowid, "
        "sum(length(document)) OVER (ORDER BY rowid DESC) AS bytes FROM report_part) WHERE bytes > ? "
        "ORDER BY rowid DESC LIMIT 1), 0)",
        (REPORT_BYTES,),
    )
    yield (
        "DELETE FROM evidence WHERE intent <= coalesce((SELECT intent FROM (SELECT intent, "
        "sum(coalesce(length(inspect), 0) + coalesce(length(logs), 0)) OVER (ORDER BY intent DESC) AS bytes "
        "FROM evidence) WHERE bytes > ? ORDER BY intent DESC LIMIT 1), 0)",
        (EVIDENCE_BYTES,),
    )
