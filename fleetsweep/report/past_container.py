"""What ``fleetsweep explain --past`` prints: everything that the journal has of one container."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from fleetsweep.model.container import SECOND
from fleetsweep.model.hold import Hold
from fleetsweep.model.journal import PastRemoval
from fleetsweep.model.leak_history import PastContainer, PastLeak
from fleetsweep.report.cells import IMAGE_LIMIT, NAME_LIMIT, NOTHING, SHORT_ID, WORD_LIMIT, humanize, iso_utc
from fleetsweep.report.escape import printable, well_formed
from fleetsweep.report.fit import Column, name_column, number_column, table, text_column, wrap
from fleetsweep.report.json_report import JsonObject
from fleetsweep.report.removals import attributes_object, attributes_text, removal_object, settled_text

SCHEMA: Final = "fleetsweep.past/1"

ATTEMPTS: Final = 10
"""Of more than twice as many removals, the table has this many of the first and of the last ones."""

_INDENT: Final = "    "
_MATCH_COLUMNS: Final = (
    Column("ID"),
    name_column("NAME"),
    name_column("HOST"),
    Column("LAST SEEN", rank=1),
    text_column("BECAME"),
)
_REMOVAL_COLUMNS: Final = (
    Column("REMOVAL"),
    name_column("HOST", rank=3),
    Column("RUN", rank=5),
    number_column("AGE", rank=2),
    Column("REASON", rank=1),
    Column("MATCHED", rank=4),
    Column("OUTCOME"),
    text_column("DETAIL"),
)


def render_past_container(container: PastContainer, hold: Hold | None, format: str, width: int | None = None) -> str:
    """Return when runs saw a container, why, and what became of it, as ``table`` or ``json``; ends with a newline."""
    if format == "json":
        return json.dumps(_object(container, hold), indent=2, allow_nan=False) + "\n"
    blocks = [_leak_block(leak) for leak in container.leaks] or [_why_block(container.removals)]
    head = f"{printable(container.name, NAME_LIMIT)} ({printable(container.id)})"
    end = [*([hold.words] if hold else []), f"what became of it: {became(container)}"]
    texts = [
        [piece for line in block for piece in wrap(line, width, _INDENT)]
        for block in ([head], *blocks, list(map(printable, end)))
    ]
    if container.removals:
        texts.insert(-1, _removal_block(container.removals, width))
    return "\n\n".join("\n".join(block) for block in texts) + "\n"


def match_lines(containers: Sequence[PastContainer], width: int | None = None) -> list[str]:
    """Return the lines of a table with a row for each of several containers."""
    rows = [
        [
            printable(each.id[:SHORT_ID]),
            printable(each.name, NAME_LIMIT),
            printable(", ".join(each.hosts), NAME_LIMIT),
            iso_utc(each.last_ns),
            printable(became(each), IMAGE_LIMIT),
        ]
        for each in containers
    ]
    return table(_MATCH_COLUMNS, rows, width)


def became(container: PastContainer) -> str:
    """Return what became of a container, as far as runs saw it."""
    ended = [leak for leak in container.leaks if leak.ended_ns is not None]
    if len(ended) < len(container.leaks):
        last_ns = max(leak.last_seen_ns for leak in container.leaks)
        return f"still there when it was last seen, {iso_utc(last_ns)}"
    if ended:
        last = max(ended, key=lambda leak: leak.ended_ns or 0)
        return f"{last.ended_as} {iso_utc(last.ended_ns or 0)}"
    removal = container.removals[-1]
    if removal.outcome == "unknown" or removal.outcome is None:
        return settled_text(removal) or "unknown: no run has looked since"
    return f"{removal.outcome} {iso_utc(removal.at_ns)}"


def _leak_block(leak: PastLeak) -> list[str]:
    host = printable(leak.host, NAME_LIMIT)
    lines = [
        f"stale on {host} since {iso_utc(leak.stale_since_ns)}",
        f"  first seen {iso_utc(leak.first_seen_ns)}, {_by_run(leak.first_run)}",
        f"  last seen {iso_utc(leak.last_seen_ns)}, {_by_run(leak.last_run)}",
        f"  seen stale by {_runs(leak.runs, 'run')}; {_runs(leak.sweeps, 'sweep')} did not remove it",
        f"  image {printable(leak.image, IMAGE_LIMIT)}, created {iso_utc(leak.created_ns)}",
        f"  reason {printable(leak.reason, WORD_LIMIT)}",
    ]
    lines += [f"  labels {attributes_text(leak.attributes)}"] if leak.attributes else []
    if leak.ended_ns is not None:
        stale_s = max(0, leak.ended_ns - leak.stale_since_ns) // SECOND
        lines.append(
            f"  {printable(leak.ended_as or '', WORD_LIMIT)} {iso_utc(leak.ended_ns)}, stale for {humanize(stale_s)}"
        )
    return lines


def _removal_block(removals: Sequence[PastRemoval], width: int | None) -> list[str]:
    """Return the lines of a table with a row for each attempt; of many, the first and the last ones."""
    rows = [_removal_row(removal) for removal in removals]
    omitted = len(rows) - 2 * ATTEMPTS
    if omitted <= 0:
        return table(_REMOVAL_COLUMNS, rows, width)
    between = ["..."] + [""] * (len(_REMOVAL_COLUMNS) - 1)
    lines = table(_REMOVAL_COLUMNS, [*rows[:ATTEMPTS], between, *rows[-ATTEMPTS:]], width)
    return [*lines, f"({omitted} more between the first and the last ones: --format json has all)"]


def _removal_row(removal: PastRemoval) -> list[str]:
    settled = settled_text(removal)
    detail = [printable(removal.error)] if removal.error else []
    return [
        iso_utc(removal.at_ns),
        printable(removal.host, NAME_LIMIT),
        printable(removal.run, NAME_LIMIT),
        humanize(removal.age_s),
        printable(removal.reason or NOTHING, WORD_LIMIT),
        printable(",".join(removal.matched_by) or NOTHING, WORD_LIMIT),
        printable(removal.outcome or "unknown", WORD_LIMIT),
        "; ".join([*detail, *([settled] if settled else [])]),
    ]


def _why_block(removals: Sequence[PastRemoval]) -> list[str]:
    """Return the lines that a leak's block has, for a container that no run saw stale: a teardown removed it."""
    known = next((each for each in reversed(removals) if each.image), None)
    if known is None or known.image is None:
        return ["why it was removed is not recorded: an older version did it, or it is a volume or network"]
    labels = [f"labels {attributes_text(known.attributes)}"] if known.attributes else []
    return [f"image {printable(known.image, IMAGE_LIMIT)}", *labels]


def _runs(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _by_run(run: str | None) -> str:
    return f"by run {printable(run, NAME_LIMIT)}" if run else "by a run that is no longer recorded"


def _object(container: PastContainer, hold: Hold | None) -> JsonObject:
    return {
        "schema": SCHEMA,
        "id": well_formed(container.id),
        "name": well_formed(container.name),
        "hosts": [well_formed(host) for host in container.hosts],
        "became": well_formed(became(container)),
        "held": well_formed(hold.words) if hold else None,
        "leaks": [_leak_object(leak) for leak in container.leaks],
        "removals": [{**removal_object(each), "run_id": well_formed(each.run)} for each in container.removals],
    }


def _leak_object(leak: PastLeak) -> JsonObject:
    return {
        "host": well_formed(leak.host),
        "image": well_formed(leak.image),
        "reason": well_formed(leak.reason),
        "attributes": attributes_object(leak.attributes),
        "created_at": iso_utc(leak.created_ns),
        "stale_since": iso_utc(leak.stale_since_ns),
        "first_seen_at": iso_utc(leak.first_seen_ns),
        "first_run": leak.first_run and well_formed(leak.first_run),
        "last_seen_at": iso_utc(leak.last_seen_ns),
        "last_run": leak.last_run and well_formed(leak.last_run),
        "runs": leak.runs,
        "sweeps": leak.sweeps,
        "ended_at": None if leak.ended_ns is None else iso_utc(leak.ended_ns),
        "ended_as": leak.ended_as and well_formed(leak.ended_as),
    }
