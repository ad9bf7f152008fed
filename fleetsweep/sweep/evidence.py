"""Keep evidence of a container before it is removed: its inspect response and the end of its log, without secrets."""

from __future__ import annotations

import logging
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from fleetsweep.errors import EngineError, FaultKind, FleetsweepError, HostError
from fleetsweep.model.container import Inspected
from fleetsweep.model.evidence import Document, Evidence, LogLine, pack
from fleetsweep.model.secrets import known_secrets, redact_document, redact_text
from fleetsweep.sweep.ledger import Ledger

log = logging.getLogger(__name__)

LOG_WAIT_S: Final = 3.0
"""Seconds for a log: the engine reads it from a file, and a removal waits for it."""

LOG_BYTES: Final = 64 * 1024
"""Bytes that are kept of a log: its end."""

LINE_LIMIT: Final = 2_000
"""Characters that are kept of a line."""

PACKED_LIMIT: Final = 128 * 1024
"""Bytes of a compressed inspect response."""

KNOWN_LIMIT: Final = 500
"""The most values to mask in a log. A container with more has its log not kept."""

_FRAME: Final = struct.Struct(">BxxxL")
_TIMESTAMP: Final = re.compile(rb"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}(?:Z|[+-]\d\d:\d\d) ")
_STREAMS: Final = {1: "stdout", 2: "stderr"}


@dataclass(frozen=True, slots=True)
class EvidenceRule:
    """What is kept: the inspect response, and the last ``log_lines`` lines of the log.

    With ``required``, a container stays whose evidence can't be had and made durable.
    """

    log_lines: int = 0
    required: bool = False


class Source(Protocol):
    """The operations of an engine that evidence needs. Each raises HostError."""

    def look(self, container_id: str, /, *, within: float | None = None) -> Inspected | None:
        """Return the container as it is now, with the whole response; None if it is gone."""

    def log_tail(self, container_id: str, /, *, lines: int, within: float) -> bytes:
        """Return the end of its log, as the engine sends it."""


class Keeper:
    """Keeps the evidence of one host's containers in its ledger."""

    def __init__(self, engine: Source, ledger: Ledger, rule: EvidenceRule) -> None:
        self._engine = engine
        self._ledger = ledger
        self._rule = rule

    def inspect(self, container_id: str, /, *, within: float) -> Inspected | None:
        """Return the container's current state; None if it is gone. Raises HostError."""
        return self._engine.look(container_id, within=within)

    def keep(self, container_id: str, document: Document, /) -> str:
        """Record the evidence. Return why the container must stay without it; empty if it may be removed."""
        evidence = self._gather(container_id, document)
        try:
            self._ledger.keep(container_id, evidence, durable=self._rule.required)
        except FleetsweepError as error:
            return f"the evidence can't be recorded: {error}"
        missing = bool(evidence.error) and self._rule.required
        return f"no evidence could be kept: {evidence.error}" if missing else ""

    def _gather(self, container_id: str, document: Document) -> Evidence:
        """Return the evidence. A bug costs the evidence, not the removal."""
        inspect = logs = None
        errors = []
        try:
            inspect = pack(redact_document(document))
            if len(inspect) > PACKED_LIMIT:
                inspect = None
                errors.append(f"the inspect response has over {PACKED_LIMIT // 1024} KiB, compressed")
            if self._rule.log_lines:
                logs = pack(self._log(container_id, document))
        except HostError as error:
            errors.append(f"the log: {error.message}")
        except Exception as error:
            log.exception("a bug while keeping evidence of %s", container_id)
            errors.append(f"a bug: {type(error).__name__}")
        return Evidence(inspect, logs, "; ".join(errors)[:500] or None)

    def _log(self, container_id: str, document: Document) -> list[LogLine]:
        known = known_secrets(document)
        if len(known) > KNOWN_LIMIT:
            raise EngineError(FaultKind.TOO_LARGE, "the container has too many variables to mask them all")
        lines = self._rule.log_lines
        while True:
            try:
                data = self._engine.log_tail(container_id, lines=lines, within=LOG_WAIT_S)
                break
            except EngineError as error:
                if error.kind is not FaultKind.TOO_LARGE or lines == 1:
                    raise
                lines = max(1, lines // 16)
        config = document.get("Config")
        tty = isinstance(config, dict) and config.get("Tty") is True
        # Masked as one text: a secret may have several lines, such as a private key.
        found = list(log_lines(data, tty=tty))[-lines:]
        text = redact_text("\n".join(line.text for line in found), known)
        masked = text.split("\n")
        if len(masked) != len(found):
            return [LogLine("log", line[:LINE_LIMIT]) for line in masked]
        return [LogLine(line.stream, text[:LINE_LIMIT]) for line, text in zip(found, masked, strict=True)]


def log_lines(data: bytes, *, tty: bool) -> Iterator[LogLine]:
    """Yield the lines at the end of a log, LOG_BYTES of them. ``tty`` marks plain text, else it has frames."""
    pieces = [("tty", data)] if tty else _joined(_frames(data))
    kept: list[tuple[str, bytes]] = []
    left = LOG_BYTES
    for stream, piece in reversed(pieces):
        if left <= 0:
            break
        kept.append((stream, piece if len(piece) <= left else _end_of(piece, left)))
        left -= len(piece)
    for stream, piece in reversed(kept):
        for line in piece.decode("utf-8", "replace").splitlines():
            yield LogLine(stream, line)


def _end_of(piece: bytes, size: int) -> bytes:
    """Return the whole lines in the last ``size`` bytes: the rest of a secret in a cut line could not be recognized."""
    _, newline, lines = piece[-size:].partition(b"\n")
    return lines if newline else f"[a line of more than {size // 1024} KiB is left out]".encode()


def _joined(frames: Iterable[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Return the frames, with those joined that are parts of one line: an engine splits lines of more than 16 KiB."""
    found: list[tuple[str, list[bytes]]] = []
    for stream, piece in frames:
        if found and found[-1][0] == stream and not found[-1][1][-1].endswith(b"\n"):
            # Each part has a time stamp of its own.
            found[-1][1].append(_TIMESTAMP.sub(b"", piece, count=1))
        else:
            found.append((stream, [piece]))
    return [(stream, b"".join(parts)) for stream, parts in found]


def _frames(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the stream and the bytes of each frame. What is no frame is one of an unknown stream."""
    position = 0
    while position < len(data):
        if len(data) - position < _FRAME.size:
            yield "log", data[position:]
            return
        number, size = _FRAME.unpack_from(data, position)
        if number not in _STREAMS or data[position + 1 : position + 4] != b"\0\0\0":
            yield "log", data[position:]
            return
        position += _FRAME.size
        yield _STREAMS[number], data[position : position + size]
        position += size
