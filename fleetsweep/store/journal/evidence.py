"""Reading the evidence of a container that a run removed, or tried to."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fleetsweep.errors import UsageError
from fleetsweep.model.evidence import Document, LogLine, PastEvidence, unpack_document, unpack_log
from fleetsweep.store.journal.database import has_leaks, reading
from fleetsweep.store.journal.removals import removals

_MATCHING: Final = """
SELECT container_id, host, name, max(id) FROM intent
WHERE name = :text OR container_id = :text OR (length(:text) >= 4 AND (
    substr(container_id, 1, length(:text)) = :text OR substr(name, 1, length(:text)) = :text))
GROUP BY container_id, host ORDER BY max(name = :text OR container_id = :text) DESC, max(id) DESC LIMIT 6
"""
_KEPT: Final = """
SELECT intent.id, run.command, inspect, logs, evidence.error
FROM intent JOIN run ON run.id = intent.run LEFT JOIN evidence ON evidence.intent = intent.id
WHERE container_id = ? AND host = ? ORDER BY inspect IS NOT NULL OR logs IS NOT NULL DESC, intent.id DESC LIMIT 1
"""
NOT_KEPT: Final = "none was kept: it was removed by an older release, or is past the size that is kept"


def past_evidence(state_dir: Path, container: str) -> PastEvidence:
    """Return what is known of the container that runs tried to remove, by its name, its id or the beginning of either.

    Raises UsageError where none or several match, and without a readable journal.
    """
    with reading(state_dir) as journal:
        if not has_leaks(journal):
            raise UsageError(f"the journal in {state_dir} has no evidence yet: the next run migrates it")
        found = journal.execute(_MATCHING, {"text": container}).fetchall()
        exact = [row for row in found if container in (row[0], row[2])]
        found = exact or found
        if not found:
            raise UsageError(
                f"{container!r} is no run, and no container that a run tried to remove: "
                "fleetsweep history lists the runs"
            )
        if len(found) > 1:
            names = ", ".join(f"{row[0][:12]} ({row[2]} on {row[1]})" for row in found[:5])
            raise UsageError(f"{container!r} means several containers: {names}: give more of the id")
        ((container_id, host, *_),) = found
        number, command, inspect, logs, error = journal.execute(_KEPT, (container_id, host)).fetchone()
        (removal,) = removals(journal, "id = ?", (number,))
    document, lines, damaged = _unpacked(inspect, logs)
    why = "; ".join(str(text) for text in (error, damaged) if text)
    if document is None and lines is None and not why:
        why = NOT_KEPT
    return PastEvidence(removal, str(command), document, lines, why)


def _unpacked(inspect: object, logs: object) -> tuple[Document | None, tuple[LogLine, ...] | None, str]:
    try:
        return (
            unpack_document(inspect) if isinstance(inspect, bytes) else None,
            unpack_log(logs) if isinstance(logs, bytes) else None,
            "",
        )
    except ValueError as error:
        return None, None, f"what the journal has can't be read: {error}"
