"""What is kept of a container before it is removed: its inspect response and the end of its log, without secrets."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fleetsweep.model.journal import PastRemoval


Document = Mapping[str, object]
"""A decoded JSON object."""

UNPACKED_LIMIT: Final = 16 * 1024 * 1024
"""Bytes that a stored value may decompress to."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a container's log. ``stream`` is stdout, stderr, or tty where the engine does not tell them apart."""

    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """The packed inspect response and log; None where there is none. ``error`` is why something is missing."""

    inspect: bytes | None
    logs: bytes | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class PastEvidence:
    """A removal that a run of ``command`` intended, and what was kept of the container.

    ``missing`` is why there is no evidence, or not all of it.
    """

    removal: PastRemoval
    command: str
    inspect: Document | None
    logs: tuple[LogLine, ...] | None
    missing: str


def pack(value: Document | Sequence[LogLine]) -> bytes:
    """Return a redacted document, or the lines of a log, compressed."""
    plain = value if isinstance(value, Mapping) else [[line.stream, line.text] for line in value]
    return zlib.compress(json.dumps(plain, separators=(",", ":")).encode(), 6)


def unpack_document(data: bytes) -> Document:
    """Return the document of ``pack``. Raises ValueError."""
    value = _unpack(data)
    if not isinstance(value, dict):
        raise ValueError("it is no document")  # noqa: TRY004 - the stored value is wrong
    return value


def unpack_log(data: bytes) -> tuple[LogLine, ...]:
    """Return the lines of ``pack``. Raises ValueError."""
    value = _unpack(data)
    if not isinstance(value, list) or not all(isinstance(line, list) and len(line) == 2 for line in value):
        raise ValueError("it is no log")
    return tuple(LogLine(str(stream), str(text)) for stream, text in value)


def _unpack(data: bytes) -> object:
    try:
        return json.loads(zlib.decompressobj().decompress(data, UNPACKED_LIMIT))
    except zlib.error as error:
        raise ValueError(str(error)) from error
