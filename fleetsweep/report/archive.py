"""A run's JSON report as compressed parts for the journal, and back.

A part has some hundred hosts, so that a large fleet's report is never held in memory twice.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from fleetsweep.model.decision import Verdict
from fleetsweep.model.report import FleetReport
from fleetsweep.report.json_report import JsonObject, head_object, host_object

HOSTS_A_PART: Final = 100

KEPT_DECISIONS: Final = 200
"""The most decisions to keep a container that are stored of one host: a box may list thousands, every hour."""

OMITTED: Final = "decisions_omitted"
"""The key with the number of decisions that were not stored. It is absent where all were."""

PART_LIMIT: Final = 64 * 1024 * 1024
"""Bytes that a part may decompress to."""


def compress(report: FleetReport) -> Iterator[bytes]:
    """Yield the report's parts: the head, then the hosts."""
    yield _pack(head_object(report))
    for first in range(0, len(report.hosts), HOSTS_A_PART):
        yield _pack([_stored(host_object(host)) for host in report.hosts[first : first + HOSTS_A_PART]])


def decompress(parts: Iterable[bytes]) -> JsonObject:
    """Return the report that ``compress`` was given. Raises ValueError."""
    head, *rest = (_unpack(part) for part in parts)
    if not isinstance(head, dict):
        raise ValueError("the first part has no report's head")  # noqa: TRY004 - the document is wrong, not its type
    return {**head, "hosts": [host for part in rest if isinstance(part, list) for host in part]}


def _pack(value: object) -> bytes:
    return zlib.compress(json.dumps(value, separators=(",", ":"), allow_nan=False).encode(), 6)


def _unpack(part: bytes) -> object:
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(part, PART_LIMIT)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    return json.loads(text)


def _stored(host: JsonObject) -> JsonObject:
    """Return a host's object without the decisions that are beyond the limit."""
    decisions = host["decisions"]
    if not isinstance(decisions, list) or len(decisions) <= KEPT_DECISIONS:
        return host
    kept = [number for number, each in enumerate(decisions) if each["verdict"] == Verdict.KEEP]
    omitted = set(kept[KEPT_DECISIONS:])
    left = [each for number, each in enumerate(decisions) if number not in omitted]
    return {**host, "decisions": left, OMITTED: len(omitted)} if omitted else host
