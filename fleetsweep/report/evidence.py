"""What ``fleetsweep show CONTAINER`` prints: why a container went, its inspect response, and the end of its log."""

from __future__ import annotations

import json
from typing import Final

from fleetsweep.model.evidence import PastEvidence
from fleetsweep.report.cells import IMAGE_LIMIT, NAME_LIMIT, SHORT_ID, humanize, iso_utc
from fleetsweep.report.escape import printable, well_formed
from fleetsweep.report.json_report import JsonObject

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
    name, host = printable(found.name, NAME_LIMIT), printable(found.host, NAME_LIMIT)
    result = printable(found.outcome or found.settled or "unknown")
    error = f", {printable(found.error)}" if found.error else ""
    lines = [
        f"{name} ({printable(found.container_id[:SHORT_ID])}) on {host}: {result}{error}",
        f"requested by {printable(found.command)} {printable(found.run, NAME_LIMIT)} at {iso_utc(found.at_ns)}",
    ]
    if found.reason is not None:
        since = f" since it was {printable(found.age_from)}" if found.age_from else ""
        age = "" if found.age_s is None else f", {humanize(found.age_s)}{since}"
        matched = f", matched by {', '.join(map(printable, found.matched_by))}" if found.matched_by else ""
        lines.append(f"reason: {printable(found.reason)}{age}{matched}")
    if found.image is not None:
        lines.append(f"image: {printable(found.image, IMAGE_LIMIT)}")
    lines += [f"{printable(key)}: {printable(value)}" for key, value in found.attributes.items()]
    return lines


def _object(found: PastEvidence) -> JsonObject:
    return {
        "schema": SCHEMA,
        "run_id": well_formed(found.run),
        "command": well_formed(found.command),
        "host": well_formed(found.host),
        "id": well_formed(found.container_id),
        "name": well_formed(found.name),
        "at": iso_utc(found.at_ns),
        "outcome": found.outcome or "unknown",
        "error": found.error and well_formed(found.error),
        "settled": found.settled,
        "image": found.image and well_formed(found.image),
        "reason": found.reason,
        "age_s": found.age_s,
        "age_from": found.age_from,
        "matched_by": list(found.matched_by),
        "attributes": {well_formed(key): well_formed(value) for key, value in found.attributes.items()},
        "inspect": found.inspect,
        "log": None
        if found.logs is None
        else [{"stream": line.stream, "text": well_formed(line.text)} for line in found.logs],
        "missing": well_formed(found.missing) or None,
    }
