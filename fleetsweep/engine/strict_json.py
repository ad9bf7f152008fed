"""The only decoder of an engine's JSON (RFC 8259). It refuses ambiguous and unbounded documents.

The standard library accepts duplicate keys, NaN and integers of any length, and turns 57 MiB of ``{}`` into 1.5 GiB of
values. Here a long list is decoded entry by entry, and the memory that a body may need is estimated before decoding.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterator
from typing import Final, NoReturn

from fleetsweep.engine.budget import DECODING, SHARED, Reservation
from fleetsweep.engine.http11 import Response

MAX_DIGITS: Final = 20
"""Characters of an integer: 64 bits, signed or unsigned."""

TEXT_SHOWN: Final = 300
"""Characters of an engine's text that a message shows."""

ENTRY_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of one entry of a list. A container that publishes 20,000 ports has 3 MB."""

_FLOAT_LIMIT: Final = 64
_PLAIN: Final = 64 * 1024
"""Bytes. A body up to this size is decoded without an estimate of its cost."""

_WORST: Final = 48
"""Bytes of memory that one byte of JSON needs at most once it is decoded."""

_FIRST_WINDOW: Final = 8 * 1024
_BEGIN: Final = re.compile(rb"[ \t\n\r]*\[[ \t\n\r]*(\])?")
_NEXT: Final = re.compile(rb"[ \t\n\r]*([,\]])[ \t\n\r]*")
_BLANK: Final = re.compile(rb"[ \t\n\r]*")


class InvalidJson(ValueError):
    """The JSON is malformed or ambiguous."""


class JsonTooLarge(InvalidJson):
    """The decoded JSON would need more memory than one response may use."""


def read_document(body: bytes | bytearray) -> object:
    """Decode a complete document. Raises InvalidJson, or TimeoutError if no memory is free in time."""
    SHARED.current.reserve_decoding(_affordable(body))
    try:
        return _DECODER.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise _invalid_json(error) from None


def read_list(body: bytes | bytearray) -> object:
    """Decode a document as ``read_document`` does, but return a long list as Entries."""
    if len(body) <= _PLAIN or _BEGIN.match(body) is None:
        return read_document(body)
    return Entries(body, SHARED.current)


class Entries:
    """The entries of a long list, decoded one at a time to bound the memory.

    Iterating raises InvalidJson, or TimeoutError once the time is up.
    """

    def __init__(self, body: bytes | bytearray, reservation: Reservation) -> None:
        self._body = body
        self._reservation = reservation
        self._kept = 0

    def charge(self, size: int) -> None:
        """Charge ``size`` bytes that the caller keeps of an entry. Raises JsonTooLarge."""
        self._kept += size
        if self._kept > DECODING:
            raise JsonTooLarge(_TOO_MUCH)

    def __iter__(self) -> Iterator[object]:
        body = self._body
        self._reservation.reserve_decoding(_WORST * len(body))
        begun = _BEGIN.match(body)
        if begun is None:
            raise InvalidJson("it is not a list")
        at, window, count = begun.end(), _FIRST_WINDOW, 0
        end = begun[1] is not None
        with memoryview(body) as view:
            while not end:
                value, length = self._entry(view[at:], window)
                yield value
                found = _NEXT.match(body, at + length)
                if found is None:
                    raise InvalidJson(f"neither a comma nor the list's end at byte {at + length}")
                at, end = found.end(), found[1] == b"]"
                window = min(max(2 * length, _FIRST_WINDOW), _PLAIN)
                count += 1
                if count % 256 == 0:
                    self._reservation.check_time()
        if _BLANK.fullmatch(body, at) is None:
            raise InvalidJson("there is data after the end of the list")

    def _entry(self, rest: memoryview, window: int) -> tuple[object, int]:
        """Return the value at the start of ``rest`` and its length in bytes, trying ``window`` bytes first."""
        while True:
            piece = rest[:window]
            whole = len(piece) == len(rest)
            if self._kept + _affordable(piece) > DECODING:
                raise JsonTooLarge(_TOO_MUCH)
            try:
                text, _ = codecs.utf_8_decode(piece, "strict", whole)
                value, end = _DECODER.raw_decode(text)
            except (json.JSONDecodeError, RecursionError, ValueError) as error:
                if whole or not isinstance(error, json.JSONDecodeError):
                    raise _invalid_json(error) from None
                end = None
            # A number at the edge of the window may continue beyond it.
            if end is not None and (whole or end < len(text)):
                return value, end if len(text) == len(piece) else len(text[:end].encode())
            if window >= ENTRY_LIMIT:
                raise JsonTooLarge(f"has an entry of more than {ENTRY_LIMIT // 2**20} MiB")
            window *= 4


_TOO_MUCH: Final = f"would take up more than {DECODING // 2**20} MiB of memory"


def _affordable(body: bytes | bytearray | memoryview) -> int:
    """Return an upper bound of the memory that decoding a body needs, in bytes. Raises JsonTooLarge."""
    size = len(body) * _WORST
    if len(body) > _PLAIN:
        size = _cost(bytes(body))
        if size > DECODING:
            raise JsonTooLarge(_TOO_MUCH)
    return size


def _cost(body: bytes) -> int:
    """Return an upper bound of the memory of a body's text and values, by counting its punctuation.

    The weights are those of 64-bit CPython, including the spare room of a growing dict or list.
    """
    # Non-ASCII text needs up to four bytes a character, and the strings cut from it need as much again.
    text = len(body) * (1 if body.isascii() else 4)
    signs = ((b"{", 110), (b":", 140), (b"[", 110), (b",", 50), (b'"', 40))
    return _PLAIN + 2 * text + sum(weight * body.count(sign) for sign, weight in signs)


def _invalid_json(error: Exception) -> InvalidJson:
    if isinstance(error, InvalidJson):
        return error
    if isinstance(error, UnicodeDecodeError):
        return InvalidJson(f"byte {error.start} is not UTF-8")
    if isinstance(error, json.JSONDecodeError):
        return InvalidJson(f"{error.msg} at character {error.pos}")
    return InvalidJson("nested too deeply" if isinstance(error, RecursionError) else str(error)[:TEXT_SHOWN])


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        left = iter(found)
        twice = next(key for key, _ in pairs if key != next(left, None))
        raise InvalidJson(f"the key {twice[:80]!r} appears twice in one object")
    return found


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise InvalidJson(f"an integer of {len(digits)} digits")
    return int(digits)


def _float(digits: str) -> float:
    if len(digits) > _FLOAT_LIMIT:
        raise InvalidJson(f"a number of {len(digits)} digits")
    number = float(digits)
    if math.isinf(number):
        # JSON has no infinity: what is stored of the response could not be read back.
        raise InvalidJson(f"the number {digits} is too large")
    return number


def _constant(name: str) -> NoReturn:
    raise InvalidJson(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)


def error_text(response: Response) -> str:
    """Return the error message in a response of an engine or of a proxy before it, up to ``TEXT_SHOWN`` characters.

    An engine's own errors are ``{"message": …}``. A proxy's HTML page is reduced to its text.
    """
    body = bytes(response.body[: 16 * 1024]).decode(errors="replace").strip()
    text = _message(body) if body[:1] == "{" else None
    if text is None and _is_page(body, response.headers.get("content-type", "")):
        text = _page_text(body)
    # A lone surrogate can't be written to a report or a file.
    text = " ".join((text or body or response.reason.strip() or "no message").encode(errors="replace").decode().split())
    return text if len(text) <= TEXT_SHOWN else text[: TEXT_SHOWN - 1] + "…"


def _message(text: str) -> str | None:
    try:
        found = read_document(text.encode(errors="replace"))
    except InvalidJson:
        return None
    if isinstance(found, dict):
        for key in ("message", "error", "cause"):
            message = found.get(key)
            if isinstance(message, str) and message.strip():
                return message
    return None


def _is_page(text: str, content_type: str) -> bool:
    return "html" in content_type.lower() or re.match(r"<(!doctype|html|head|body|\?xml)\b", text, re.I) is not None


def _page_text(text: str) -> str:
    # Each pattern excludes its own first character, so that none backtracks on a page of "<" alone.
    without = re.sub(r"<(script|style)\b[^<]*", " ", text, flags=re.I)
    import html

    return html.unescape(re.sub(r"<[^<>]*>?", " ", without)).strip()
