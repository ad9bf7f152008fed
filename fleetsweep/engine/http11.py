"""One HTTP/1.1 answer read from a stream (RFC 9112), strictly: what is ambiguous is refused.

The standard library's reader takes a third of the time that a host costs, and reads on where two lengths disagree.
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
"""Bytes of a list. One of 10,000 containers, with 4 KB each, is 40 MB."""

ONE_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of an answer about one thing. An ordinary inspect answer has 4 to 10 KB."""

ERROR_LIMIT: Final = 64 * 1024
"""Bytes that are read of what an engine says with a refusal. Only the first words are shown."""

LINE_LIMIT: Final = 64 * 1024
HEAD_LIMIT: Final = 128 * 1024
"""Bytes of all headers of one answer."""

MOST_FIELDS: Final = 100
MOST_INTERIM: Final = 8
"""Interim answers (1xx) before the one that counts."""

SHORT_FIELD: Final = 128
"""Bytes of a header line whose reading is remembered."""

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
    """One whole answer. The names of ``headers`` are in lower case; ``closes`` says that no other one can follow.

    A header that stands twice has both values, as RFC 9110 (5.3) joins them: no single value can be read from it.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes | bytearray
    closes: bool

    @property
    def refuses(self) -> bool:
        """Whether the status says that what was asked for was not done."""
        return not 200 <= self.status < 300


def free_of_charge(size: int, most: int) -> None:
    """For whoever reads answers that nothing limits together."""


def read_response(
    source: BufferedIOBase,
    in_time: Callable[[], None],
    *,
    limit: int = BODY_LIMIT,
    reserve: Callable[[int, int], None] = free_of_charge,
    body_matters: bool = True,
) -> Response:
    """The next answer to a GET or DELETE. ``in_time`` is called between pieces, and raises to give up.

    ``reserve`` is told how many bytes the body is about to have, and how many it may come to have, before they are
    read. Where not ``body_matters``, a status of success stands whatever the body is: it was said already.
    Of a refusal's body no more than ``ERROR_LIMIT`` bytes are read.
    Raises http.client's errors where the stream ends or what comes is no HTTP, and what reading the stream raises.
    """
    for _ in range(MOST_INTERIM + 1):
        minor, status, reason = _status(source)
        headers = _headers(source)
        if status >= 200 or status == 101:
            break
    else:
        raise HTTPException(f"more than {MOST_INTERIM} interim answers")
    connection = headers.get("connection", "").lower()
    closes = "close" in connection or (minor == 0 and "keep-alive" not in connection)
    if status in _NO_BODY:
        # With a length it announces a body that it must not have: whatever comes next is not the next answer.
        length, coding = headers.get("content-length"), headers.get("transfer-encoding")
        return Response(
            status, reason, headers, b"", closes or status == 101 or length not in {None, "0"} or bool(coding)
        )
    refuses = status >= 300
    body = _Body(source, in_time, min(limit, ERROR_LIMIT) if refuses else limit, reserve, cut=refuses)
    try:
        ended = body.read(headers)
    except (HTTPException, OSError, EOFError) as error:
        enough = isinstance(error, TooLarge) if refuses else not body_matters
        if not enough:
            raise
        ended = True
    return Response(status, reason, headers, body.data, closes or ended)


def _status(source: BufferedIOBase) -> tuple[int, int, str]:
    line = source.readline(LINE_LIMIT + 1)
    if not line:
        raise RemoteDisconnected("the stream ended before an answer")
    found = _STATUS.fullmatch(line)
    if found is None:
        raise BadStatusLine(line[:200].decode("iso-8859-1"))
    return int(found[1]), int(found[2]), (found[3] or b"").decode("iso-8859-1")


def _headers(source: BufferedIOBase) -> dict[str, str]:
    headers: dict[str, str] = {}
    size = 0
    for _ in range(MOST_FIELDS + 1):
        line = source.readline(LINE_LIMIT + 1)
        size += len(line)
        if size > HEAD_LIMIT:
            raise LineTooLong("headers")
        # An engine says most of them again with each answer.
        field = _known_field(line) if len(line) <= SHORT_FIELD else _field(line)
        if field is None:
            return headers
        name, value = field
        if name in headers:
            if name in {"content-length", "transfer-encoding"}:
                raise HTTPException(f"{name} is told twice")
            if name in {"date", "connection"} or headers[name] != value:
                value = f"{headers[name]}, {value}"
        headers[name] = value
    raise HTTPException(f"more than {MOST_FIELDS} headers")


def _field(line: bytes) -> tuple[str, str] | None:
    """A header's name and value; None for the empty line that ends them."""
    if line in {b"\r\n", b"\n"}:
        return None
    _check_whole(line, "header")
    found = _FIELD.fullmatch(line)
    if found is None:
        raise HTTPException(f"{line[:80]!r} is not a header")
    return found[1].decode("ascii").lower(), found[2].decode("iso-8859-1")


_known_field = lru_cache(maxsize=512)(_field)


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
    """A body while it is read. With ``cut`` what the limit allows is read before TooLarge is raised."""

    def __init__(
        self,
        source: BufferedIOBase,
        in_time: Callable[[], None],
        limit: int,
        reserve: Callable[[int, int], None],
        *,
        cut: bool,
    ) -> None:
        self._source = source
        self._in_time = in_time
        self._limit = limit
        self._reserve = reserve
        self._cut = cut
        self.data = bytearray()

    def read(self, headers: Mapping[str, str]) -> bool:
        """Read it as its headers say. Answers whether the stream ended with it."""
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
        """Read ``size`` bytes more. The whole body comes to ``most`` bytes at the most."""
        whole = len(self.data) + size
        end = min(whole, self._limit)
        if whole > self._limit and not self._cut:
            raise TooLarge(self._limit)
        while len(self.data) < end:
            step = min(_CHUNK, end - len(self.data))
            self._reserve(len(self.data) + step, end if most is None else most)
            piece = self._source.read(step)
            if not piece:
                raise IncompleteRead(b"", whole - len(self.data))
            self.data += piece
            self._in_time()
        if whole > self._limit:
            raise TooLarge(self._limit)

    def _read_chunked(self) -> None:
        """Read all chunks, and the trailers after them."""
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
                raise HTTPException("a chunk longer than it said")

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
            self._in_time()
