"""The one reader of JSON that an engine sent (RFC 8259): what is ambiguous or without bounds is refused.

The standard library takes the last of two equal keys, reads NaN, and makes an integer of any number of digits.
"""

from __future__ import annotations

import html
import json
import re
from typing import Final, NoReturn

from fleetsweep.engine.answer import Answer

MOST_DIGITS: Final = 20
"""Characters of an integer: what 64 bits hold, with or without a sign."""

WORDS_LIMIT: Final = 300
"""Characters that are shown of what an engine said."""

_FLOAT_LIMIT: Final = 64


class Unusable(ValueError):
    """JSON that can't be read in one way only."""


def read_document(body: bytes | bytearray) -> object:
    """The value of a whole document. Raises Unusable."""
    try:
        return _DECODER.decode(body.decode())
    except UnicodeDecodeError as error:
        raise Unusable(f"byte {error.start} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise Unusable(f"{error.msg} at character {error.pos}") from None
    except RecursionError:
        raise Unusable("it is nested too deeply") from None


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


def words_of(answer: Answer) -> str:
    """What an engine, or a proxy before it, said with a refusal, whatever its shape: ``WORDS_LIMIT`` characters of it.

    An engine's own errors are ``{"message": …}``. A proxy's page is reduced to its words.
    """
    text = bytes(answer.body[: 16 * 1024]).decode(errors="replace").strip()
    told = _message(text) if text[:1] == "{" else None
    if told is None and _is_page(text, answer.headers.get("content-type", "")):
        told = _words_of_page(text)
    # No surrogate half may get into a report or a file.
    said = " ".join((told or text or answer.reason or "no word").encode(errors="replace").decode().split())
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
    return html.unescape(re.sub(r"<[^<>]*>?", " ", without))
