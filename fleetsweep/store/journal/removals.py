"""Queries on removals: what was removed, why, and what became of it; and the report that a run printed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from fleetsweep.model.journal import PastRemoval
from fleetsweep.store.journal.database import has_leaks, reading

_WHY: Final = "image, reason, age_s, age_from, matched_by, attributes"
_NO_WHY: Final = "NULL, NULL, NULL, NULL, NULL, NULL"
_REMOVALS: Final = """
SELECT host, container_id, name, at_ns, outcome, error, settled, settled_run, run, {why}
FROM intent WHERE {which} ORDER BY id
"""


def removals(journal: sqlite3.Connection, which: str, values: Sequence[object]) -> tuple[PastRemoval, ...]:
    """Return the removals that the condition ``which`` selects, oldest first. Raises sqlite3.Error."""
    query = _REMOVALS.format(why=_WHY if has_leaks(journal) else _NO_WHY, which=which)
    return tuple(_removal(row) for row in journal.execute(query, tuple(values)))


def report_parts(state_dir: Path, run_id: str) -> tuple[bytes, ...]:
    """Return the compressed parts of a run's report; none where it is not kept. Raises UsageError."""
    with reading(state_dir) as journal:
        if not has_leaks(journal):
            return ()
        rows = journal.execute("SELECT document FROM report_part WHERE run = ? ORDER BY part", (run_id,))
        return tuple(document for (document,) in rows)


def attributes_of_row(text: object) -> Mapping[str, str]:
    """Return the attributes that a column holds as JSON; none where it is empty or damaged."""
    try:
        found = json.loads(str(text or "{}"))
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _removal(row: Sequence[object]) -> PastRemoval:
    matched_by, attributes = row[-2:]
    known = PastRemoval(*row[:-2])  # type: ignore[arg-type]  # typed by the tables
    return replace(
        known,
        matched_by=tuple(str(matched_by).split(",")) if matched_by else (),
        attributes=attributes_of_row(attributes),
    )
