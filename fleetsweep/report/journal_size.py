"""How large the journal is, and what was deleted from it, as text."""

from __future__ import annotations

import json
from typing import Final

from fleetsweep.model.journal import JournalSize, Pruned
from fleetsweep.report.cells import NOTHING, iso_utc
from fleetsweep.report.escape import printable, well_formed
from fleetsweep.report.json_report import JsonObject

SCHEMA: Final = "fleetsweep.pruned/1"

_MIB: Final = 1024 * 1024


def size_line(size: JournalSize) -> str:
    """Return one line with the journal's path and size, and what takes it."""
    since = NOTHING if size.first_run_ns is None else iso_utc(size.first_run_ns)
    return (
        f"{printable(size.path)}: {mebibytes(size.total)} (reports {mebibytes(size.reports)}, "
        f"evidence {mebibytes(size.evidence)}), {_count(size.runs, 'run')} since {since}, {_count(size.leaks, 'leak')}"
    )


def size_object(size: JournalSize) -> JsonObject:
    """Return the journal's size for JSON, in bytes."""
    return {
        "path": well_formed(size.path),
        "bytes": size.total,
        "report_bytes": size.reports,
        "evidence_bytes": size.evidence,
        "runs": size.runs,
        "leaks": size.leaks,
        "first_run_at": None if size.first_run_ns is None else iso_utc(size.first_run_ns),
    }


def render_pruned(pruned: Pruned, format: str) -> str:
    """Return what was deleted, as ``table`` or ``json``, ending with one newline."""
    if format == "json":
        found = {
            "schema": SCHEMA,
            "before": iso_utc(pruned.before_ns),
            "runs": pruned.runs,
            "leaks": pruned.leaks,
            "holds": pruned.holds,
            "kept_runs": pruned.kept_runs,
            "bytes_before": pruned.bytes_before,
            "bytes_after": pruned.bytes_after,
        }
        return json.dumps(found, indent=2, allow_nan=False) + "\n"
    lines = [
        f"Deleted what ended before {iso_utc(pruned.before_ns)}: {_count(pruned.runs, 'run')}, "
        f"{_count(pruned.leaks, 'leak')}, {_count(pruned.holds, 'hold')}.",
        f"The journal: {mebibytes(pruned.bytes_before)} before, {mebibytes(pruned.bytes_after)} now.",
    ]
    if pruned.kept_runs:
        lines.insert(
            1, f"Kept {_count(pruned.kept_runs, 'older run')}: a removal of theirs is open, or its container is held."
        )
    return "\n".join(lines) + "\n"


def mebibytes(count: int) -> str:
    """Return a number of bytes as ``13.8 MiB``."""
    return f"{count / _MIB:.1f} MiB"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
