"""What ``fleetsweep show CONTAINER`` prints: why a container went, its inspect response, and the end of its log."""

from __future__ import annotations

import json
from typing import Final

from fleetsweep.model.evidence import PastEvidence
from fleetsweep.report.cells import IMAGE_LIMIT, NAME_LIMIT, SHORT_ID, humanize, iso_utc
from fleetsweep.report.escape import printable, well_formed
from fleetsweep.report.json_report import JsonObject
from fleetsweep.report.removals import removal_object

SCHEMA: Final = "fleetsweep.evidence/1"


def render_evidence(found: PastEvidence, format: str) -> str:
    """Return the evidence as ``table`` (text) or ``json``, ending with one newline."""
    if format == "json":
        return json.dumps(_object(found), indent=2, ensure_ascii=True, allow_nan=False) + "\n"
    blocks = [_head(found)]
    if found.inspect is not None:
        blocks.append(["inspect:", *json.dumps(found.inspect, indent=2, ensure_ascii=True).splitlines()])
    if found.logs is not None:
        lines = [f"{printable(line.stream)}: {printable(line.text)}" for line in found.logs]
        blocks.append([f"log, the last {len(lines)} lines:" if lines else "log: empty", *lines])
    if found.missing:
        blocks.append([f"evidence: {printable(found.missing)}"])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _head(found: PastEvidence) -> list[str]:
    removal = found.removal
    name, host = printable(removal.name, NAME_LIMIT), printable(removal.host, NAME_LIMIT)
    result = printable(removal.outcome or removal.settled or "unknown")
    error = f", {printable(removal.error)}" if removal.error else ""
    lines = [
        f"{name} ({printable(removal.container_id[:SHORT_ID])}) on {host}: {result}{error}",
        f"requested by {printable(found.command)} {printable(removal.run, NAME_LIMIT)} at {iso_utc(removal.at_ns)}",
    ]
    if removal.reason is not None:
        since = f" since it was {printable(removal.age_from)}" if removal.age_from else ""
        age = "" if removal.age_s is None else f", {humanize(removal.age_s)}{since}"
        matched = f", matched by {', '.join(map(printable, removal.matched_by))}" if removal.matched_by else ""
        lines.append(f"reason: {printable(removal.reason)}{age}{matched}")
    if removal.image is not None:
        lines.append(f"image: {printable(removal.image, IMAGE_LIMIT)}")
    lines += [f"{printable(key)}: {printable(value)}" for key, value in removal.attributes.items()]
    return lines


def _object(found: PastEvidence) -> JsonObject:
    return {
        "schema": SCHEMA,
        "run_id": well_formed(found.removal.run),
        "command": well_formed(found.command),
        **removal_object(found.removal),
        "inspect": found.inspect,
        "log": None
        if found.logs is None
        else [{"stream": line.stream, "text": well_formed(line.text)} for line in found.logs],
        "missing": well_formed(found.missing) or None,
    }
