"""A strict reader of HTTP/1.1 responses (RFC 9112): an ambiguous response is an error.

The standard library's reader would take a third of a host's CPU time, and accepts two lengths that disagree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from http.client import BadStatusLine, HTTPException, IncompleteRead, LineTooLong, RemoteDisconnected
from io import BufferedIOBase
from typing import Final

BODY_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of a list response. A list of 10,000 containers with 4 KB each has 40 MB."""

ONE_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of a response about one object. An ordinary inspect response has 4 to 10 KB."""

ERROR_LIMIT: Final = 64 * 1024
"""Bytes that are read of an error response's body. Messages show only its beginning."""

LINE_LIMIT: Final = 64 * 1024
HEAD_LIMIT: Final = 128 * 1024
"""Bytes of all headers of one response."""

MAX_HEADERS: Final = 100
MAX_INTERIM: Final = 8
"""Interim responses (1xx) before the final one."""

SHORT_FIELD: Final = 128
"""Bytes. The parsed form of a status or header line up to this length is cached."""

_CHUNK: Final = 256 * 1024
_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d)(?: ([^\r\n]*))?\r?\n")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*?)[ \t]*\r?\n")
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;[^\r\n]*)?\r?\n")
_NO_BODY: Final = frozenset({101, 204, 304})


class TooLarge(HTTPException):
    """A body of more than ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} bytes")
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Response:
    """One complete response. Header names are in lower case; ``closes`` means that the stream can't be reused.

    A repeated header has all its values joined by commas (RFC 9110, 5.3), so that it never passes as a single value.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes | bytearray
    closes: bool

    @property
    def failed(self) -> bool:
        """Whether the status is not a success (2xx)."""
        return not 200 <= self.status < 300


def unlimited(size: int, most: int) -> None:
    """The ``reserve`` of a reader without a shared memory budget."""


def read_response(
    source: BufferedIOBase,
    check_time: Callable[[], None],
    *,
    limit: int = BODY_LIMIT,
    reserve: Callable[[int, int], None] = unlimited,
    body_matters: bool = True,
) -> Response:
    """Read the next response to a GET or DELETE. ``check_time`` is called between pieces and raises to give up.

    ``reserve`` is called before each piece of the body with the size that the body will have and the size that it may
    reach, in bytes. Without ``body_matters`` a success is returned even if its body is broken: the status is known by
    then. At most ``ERROR_LIMIT`` bytes of an error's body are read.
    Raises http.client's errors when the stream ends early or carries no valid HTTP, and what the stream raises.
    """
    for _ in range(MAX_INTERIM + 1):
        line = source.readline(LINE_LIMIT + 1)
        minor, status, reason = _cached_status(line) if len(line) <= SHORT_FIELD else _status(line)
        headers = _headers(source)
        if status >= 200 or status == 101:
            break
    else:
        raise HTTPException(f"more than {MAX_INTERIM} interim responses")
    connection = headers.get("connection", "").lower()
    closes = "close" in connection or (minor == 0 and "keep-alive" not in connection)
    if status in _NO_BODY:
        # It may not have a body. One that announces a body anyway leaves the stream out of step.
        length, coding = headers.get("content-length"), headers.get("transfer-encoding")
        return Response(
            status, reason, headers, b"", closes or status == 101 or length not in {None, "0"} or bool(coding)
        )
    failed = status >= 300
    body = _Body(source, check_time, min(limit, ERROR_LIMIT) if failed else limit, reserve, truncate=failed)
    try:
        ended = body.read(headers)
    except (HTTPException, OSError, EOFError) as error:
        enough = isinstance(error, TooLarge) if failed else not body_matters
        if not enough:
            raise
        ended = True
    return Response(status, reason, headers, body.data, closes or ended)


def _status(line: bytes) -> tuple[int, int, str]:
    """Return the minor version, the status and the reason of a status line."""
    if not line:
        raise RemoteDisconnected("the stream ended before a response")
    found = _STATUS.fullmatch(line)
    if found is None:
        raise BadStatusLine(line[:200].decode("iso-8859-1"))
    return int(found[1]), int(found[2]), (found[3] or b"").decode("iso-8859-1")


_cached_status = lru_cache(maxsize=64)(_status)


def _headers(source: BufferedIOBase) -> dict[str, str]:
    headers: dict[str, str] = {}
    size = 0
    for _ in range(MAX_HEADERS + 1):
        line = source.readline(LINE_LIMIT + 1)
        length = len(line)
        size += length
        if size > HEAD_LIMIT:
            raise LineTooLong("headers")
        # Most headers are the same in every response of an engine.
        field = _cached_field(line) if length <= SHORT_FIELD else _field(line)
        if field is None:
            return headers
        name, value = field
        if name in headers:
            if name in {"content-length", "transfer-encoding"}:
                raise HTTPException(f"header {name} appears twice")
            if name in {"date", "connection"} or headers[name] != value:
                value = f"{headers[name]}, {value}"
        headers[name] = value
    raise HTTPException(f"more than {MAX_HEADERS} headers")


def _field(line: bytes) -> tuple[str, str] | None:
    """Return a header's name and value, or None for the empty line that ends the headers."""
    if line in {b"\r\n", b"\n"}:
        return None
    _check_whole(line, "header")
    found = _FIELD.fullmatch(line)
    if found is None:
        raise HTTPException(f"{line[:80]!r} is not a header")
    return found[1].decode("ascii").lower(), found[2].decode("iso-8859-1")


_cached_field = lru_cache(maxsize=512)(_field)


def _line(source: BufferedIOBase, what: str) -> bytes:
    line = source.readline(LINE_LIMIT + 1)
    _check_whole(line, what)
    return line


def _check_whole(line: bytes, what: str) -> None:
    if len(line) > LINE_LIMIT:
        raise LineTooLong(what)
    if not line.endswith(b"\n"):
        raise IncompleteRead(line)


class _Body:
    """A body that is being read. With ``truncate`` it is read up to the limit before TooLarge is raised."""

    def __init__(
        self,
        source: BufferedIOBase,
        check_time: Callable[[], None],
        limit: int,
        reserve: Callable[[int, int], None],
        *,
        truncate: bool,
    ) -> None:
        self._source = source
        self._check_time = check_time
        self._limit = limit
        self._reserve = reserve
        self._truncate = truncate
        self.data: bytes | bytearray = bytearray()

    def read(self, headers: Mapping[str, str]) -> bool:
        """Read the body as its headers declare. Return whether it ended with the end of the stream."""
        length, coding = headers.get("content-length"), headers.get("transfer-encoding")
        if coding is not None:
            if length is not None or coding.lower() != "chunked":
                raise HTTPException(f"a body with Transfer-Encoding {coding[:40]!r} and Content-Length {length}")
            self._read_chunked()
        elif length is not None:
            if not (length.isascii() and length.isdecimal() and len(length) <= 18):
                raise HTTPException(f"Content-Length {length[:40]!r}")
            self._take(int(length))
        else:
            self._read_all()
        return coding is None and length is None

    def _take(self, size: int, most: int | None = None) -> None:
        """Read ``size`` more bytes of a body of at most ``most`` bytes."""
        have = len(self.data)
        whole = have + size
        end = min(whole, self._limit)
        if whole > self._limit and not self._truncate:
            raise TooLarge(self._limit)
        while have < end:
            step = min(_CHUNK, end - have)
            self._reserve(have + step, end if most is None else most)
            piece = self._source.read(step)
            if not piece:
                raise IncompleteRead(b"", whole - have)
            if most is None and len(piece) == whole:
                # Most bodies are one piece, which needs no copy.
                self.data = piece
            else:
                self.data += piece
            have += len(piece)
            self._check_time()
        if whole > self._limit:
            raise TooLarge(self._limit)

    def _read_chunked(self) -> None:
        """Read all chunks and the trailers."""
        while True:
            found = _SIZE.fullmatch(_line(self._source, "chunk size"))
            if found is None:
                raise HTTPException("a chunk without a size")
            size = int(found[1], 16)
            if size == 0:
                _headers(self._source)
                return
            self._take(size, self._limit)
            if _line(self._source, "chunk's end") not in {b"\r\n", b"\n"}:
                raise HTTPException("a chunk longer than its declared size")

    def _read_all(self) -> None:
        """Read until the stream ends."""
        while True:
            step = min(_CHUNK, self._limit + 1 - len(self.data))
            self._reserve(len(self.data) + step, self._limit)
            piece = self._source.read(step)
            if not piece:
                return
            self.data += piece
            if len(self.data) > self._limit:
                raise TooLarge(self._limit)
            self._check_time()
