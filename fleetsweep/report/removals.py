"""The rows and objects of past removals: what was removed, why, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from fleetsweep.model.journal import PastRemoval
from fleetsweep.report.cells import IMAGE_LIMIT, NAME_LIMIT, NOTHING, SHORT_ID, WORD_LIMIT, humanize, iso_utc
from fleetsweep.report.escape import printable, well_formed
from fleetsweep.report.fit import Column, name_column, number_column, table, text_column, wrap
from fleetsweep.report.json_report import JsonObject

_INDENT: Final = "    "
_COLUMNS: Final = (
    name_column("HOST"),
    Column("ID", rank=5),
    name_column("NAME"),
    name_column("IMAGE", rank=2),
    number_column("AGE", rank=1),
    Column("REASON"),
    Column("MATCHED", rank=3),
    Column("ASKED", rank=4),
    Column("OUTCOME"),
    text_column("DETAIL"),
)


def removal_lines(removals: Sequence[PastRemoval], width: int | None = None) -> list[str]:
    """Return the lines of a table with a row for each removal."""
    return table(_COLUMNS, [_row(removal) for removal in removals], width)


def label_lines(removals: Sequence[PastRemoval], width: int | None = None) -> list[str]:
    """Return a line, or several within ``width``, with the attributes of each removal that has any."""
    lines = [
        f"{printable(each.name, NAME_LIMIT)} ({_short_id(each)}): {attributes_text(each.attributes)}"
        for each in removals
        if each.attributes
    ]
    return [piece for line in lines for piece in wrap(line, width, _INDENT)]


def attributes_text(attributes: Mapping[str, str]) -> str:
    """Return ``key=value, key=value``."""
    return ", ".join(f"{printable(key)}={printable(value)}" for key, value in attributes.items())


def settled_text(removal: PastRemoval) -> str:
    """Return what a later run found of a removal without an outcome; empty without one."""
    if not removal.settled:
        return ""
    return f"{printable(removal.settled)}, as run {printable(removal.settled_run or '', NAME_LIMIT)} found"


def removal_object(removal: PastRemoval) -> JsonObject:
    """Return a removal for JSON."""
    return {
        "host": well_formed(removal.host),
        "id": well_formed(removal.container_id),
        "name": well_formed(removal.name),
        "at": iso_utc(removal.at_ns),
        "outcome": removal.outcome or "unknown",
        "error": removal.error and well_formed(removal.error),
        "settled": removal.settled,
        "settled_by": removal.settled_run and well_formed(removal.settled_run),
        "image": removal.image and well_formed(removal.image),
        "reason": removal.reason,
        "age_s": removal.age_s,
        "age_from": removal.age_from,
        "matched_by": list(removal.matched_by),
        "attributes": attributes_object(removal.attributes),
    }


def attributes_object(attributes: Mapping[str, str]) -> JsonObject:
    """Return attributes for JSON."""
    return {well_formed(key): well_formed(value) for key, value in attributes.items()}


def _row(removal: PastRemoval) -> list[str]:
    detail = [printable(removal.error)] if removal.error else []
    settled = settled_text(removal)
    return [
        printable(removal.host, NAME_LIMIT),
        _short_id(removal),
        printable(removal.name, NAME_LIMIT),
        printable(removal.image, IMAGE_LIMIT) if removal.image else NOTHING,
        humanize(removal.age_s),
        printable(removal.reason or NOTHING, WORD_LIMIT),
        printable(",".join(removal.matched_by) or NOTHING, WORD_LIMIT),
        iso_utc(removal.at_ns),
        printable(removal.outcome or "unknown", WORD_LIMIT),
        "; ".join([*detail, *([settled] if settled else [])]),
    ]


def _short_id(removal: PastRemoval) -> str:
    kind, colon, _ = removal.container_id.partition(":")
    return printable(kind if colon else removal.container_id[:SHORT_ID])
