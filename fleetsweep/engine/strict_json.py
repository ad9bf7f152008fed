"""The one reader of JSON that an engine sent (RFC 8259): what is ambiguous or without bounds is refused.

The standard library takes the last of two equal keys, reads NaN, and makes an integer of any number of digits. It also
makes 1.5 GiB of values out of 57 MiB of ``{}``: here a list is read entry by entry, and what a body may become is
counted before it does.
"""

from __future__ import annotations

import codecs
import html
import json
import re
from collections.abc import Iterator
from typing import Final, NoReturn

from fleetsweep.engine.budget import DECODING, SHARED, Hold
from fleetsweep.engine.http11 import Response

MOST_DIGITS: Final = 20
"""Characters of an integer: what 64 bits hold, with or without a sign."""

WORDS_LIMIT: Final = 300
"""Characters that are shown of what an engine said."""

ENTRY_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of one entry of a list. One that publishes 20,000 ports has 3 MB."""

_FLOAT_LIMIT: Final = 64
_PLAIN: Final = 64 * 1024
"""Bytes of a body that is so small that it may become whatever it becomes."""

_WORST: Final = 48
"""Bytes of values that one byte of JSON can become."""

_FIRST_WINDOW: Final = 8 * 1024
_BEGIN: Final = re.compile(rb"[ \t\n\r]*\[[ \t\n\r]*(\])?")
_NEXT: Final = re.compile(rb"[ \t\n\r]*([,\]])[ \t\n\r]*")
_BLANK: Final = re.compile(rb"[ \t\n\r]*")


class Unusable(ValueError):
    """JSON that can't be read in one way only."""


class TooMuch(Unusable):
    """JSON that would take up more memory than one answer may."""


def read_document(body: bytes | bytearray) -> object:
    """The value of a whole document. Raises Unusable, and TimeoutError where its turn does not come."""
    SHARED.mine.decode(_affordable(body))
    try:
        return _DECODER.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise _unusable(error) from None


def read_list(body: bytes | bytearray) -> object:
    """As ``read_document``, but a long list comes as Entries."""
    if len(body) <= _PLAIN or _BEGIN.match(body) is None:
        return read_document(body)
    return Entries(body, SHARED.mine)


class Entries:
    """The entries of a long list, each decoded when it is asked for: they don't take up memory together.

    Iterating raises Unusable, and TimeoutError where the time is up.
    """

    def __init__(self, body: bytes | bytearray, hold: Hold) -> None:
        self._body = body
        self._hold = hold
        self._kept = 0

    def keep(self, size: int) -> None:
        """Count so many bytes that are kept of the entries. Raises TooMuch."""
        self._kept += size
        if self._kept > DECODING:
            raise TooMuch(_TOO_MUCH)

    def __iter__(self) -> Iterator[object]:
        body = self._body
        self._hold.decode(_WORST * len(body))
        begun = _BEGIN.match(body)
        if begun is None:
            raise Unusable("it is not a list")
        at, window, count = begun.end(), _FIRST_WINDOW, 0
        end = begun[1] is not None
        with memoryview(body) as view:
            while not end:
                value, length = self._entry(view[at:], window)
                yield value
                found = _NEXT.match(body, at + length)
                if found is None:
                    raise Unusable(f"neither a comma nor the list's end at byte {at + length}")
                at, end = found.end(), found[1] == b"]"
                window = min(max(2 * length, _FIRST_WINDOW), _PLAIN)
                count += 1
                if count % 256 == 0:
                    self._hold.in_time()
        if _BLANK.fullmatch(body, at) is None:
            raise Unusable("something stands behind the list's end")

    def _entry(self, rest: memoryview, window: int) -> tuple[object, int]:
        """The value at the beginning of ``rest``, and its length in bytes; at first so many are looked at."""
        while True:
            piece = rest[:window]
            whole = len(piece) == len(rest)
            if self._kept + _affordable(piece) > DECODING:
                raise TooMuch(_TOO_MUCH)
            try:
                text, _ = codecs.utf_8_decode(piece, "strict", whole)
                value, end = _DECODER.raw_decode(text)
            except (json.JSONDecodeError, RecursionError, ValueError) as error:
                if whole or not isinstance(error, json.JSONDecodeError):
                    raise _unusable(error) from None
                end = None
            # A number that reaches to the edge may go on behind it.
            if end is not None and (whole or end < len(text)):
                return value, end if len(text) == len(piece) else len(text[:end].encode())
            if window >= ENTRY_LIMIT:
                raise TooMuch(f"has an entry of more than {ENTRY_LIMIT // 2**20} MiB")
            window *= 4


_TOO_MUCH: Final = f"would take up more than {DECODING // 2**20} MiB of memory"


def _affordable(body: bytes | bytearray | memoryview) -> int:
    """Bytes of memory that a body may become at the most, its text included. Raises TooMuch."""
    size = len(body) * _WORST
    if len(body) > _PLAIN:
        size = _cost(bytes(body))
        if size > DECODING:
            raise TooMuch(_TOO_MUCH)
    return size


def _cost(body: bytes) -> int:
    """An upper bound for the memory of a body's text and values, by what it has of each sign.

    The figures are those of 64-bit CPython, with what a dict or a list has spare while it grows.
    """
    # Of other letters the text has up to four bytes for each, and the strings cut from it again.
    text = len(body) * (1 if body.isascii() else 4)
    signs = ((b"{", 110), (b":", 140), (b"[", 110), (b",", 50), (b'"', 40))
    return _PLAIN + 2 * text + sum(weight * body.count(sign) for sign, weight in signs)


def _unusable(error: Exception) -> Unusable:
    if isinstance(error, Unusable):
        return error
    if isinstance(error, UnicodeDecodeError):
        return Unusable(f"byte {error.start} is not UTF-8")
    if isinstance(error, json.JSONDecodeError):
        return Unusable(f"{error.msg} at character {error.pos}")
    return Unusable("it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:WORDS_LIMIT])


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        left = iter(found)
        twice = next(key for key, _ in pairs if key != next(left, None))
        raise Unusable(f"the key {twice[:80]!r} stands twice in one object")
    return found


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise Unusable(f"an integer of {len(digits)} digits")
    return int(digits)


def _float(digits: str) -> float:
    if len(digits) > _FLOAT_LIMIT:
        raise Unusable(f"a number of {len(digits)} digits")
    return float(digits)


def _constant(name: str) -> NoReturn:
    raise Unusable(f"{name} is no JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)


def words_of(answer: Response) -> str:
    """What an engine, or a proxy before it, said with a refusal, whatever its shape: ``WORDS_LIMIT`` characters of it.

    An engine's own errors are ``{"message": …}``. A proxy's page is reduced to its words.
    """
    text = bytes(answer.body[: 16 * 1024]).decode(errors="replace").strip()
    told = _message(text) if text[:1] == "{" else None
    if told is None and _is_page(text, answer.headers.get("content-type", "")):
        told = _words_of_page(text)
    # No surrogate half may get into a report or a file.
    said = " ".join((told or text or answer.reason.strip() or "no word").encode(errors="replace").decode().split())
    return said if len(said) <= WORDS_LIMIT else said[: WORDS_LIMIT - 1] + "…"


def _message(text: str) -> str | None:
    try:
        found = read_document(text.encode(errors="replace"))
    except Unusable:
        return None
    if isinstance(found, dict):
        for key in ("message", "error", "cause"):
            told = found.get(key)
            if isinstance(told, str) and told.strip():
                return told
    return None


def _is_page(text: str, content_type: str) -> bool:
    return "html" in content_type.lower() or re.match(r"<(!doctype|html|head|body|\?xml)\b", text, re.I) is not None


def _words_of_page(text: str) -> str:
    # Each pattern excludes its own beginning, so that none backtracks on a page of "<" alone.
    without = re.sub(r"<(script|style)\b[^<]*", " ", text, flags=re.I)
    return html.unescape(re.sub(r"<[^<>]*>?", " ", without)).strip()
