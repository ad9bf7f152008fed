"""The words of one line of ssh_config(5): quotes, ``=``, comments and patterns, as OpenSSH reads them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_SPACE: Final = " \t\r\n\f"
_DELIMITERS: Final = re.compile(r'[ \t\r\n\f"=]')


def split_first(text: str) -> tuple[str, str] | None:
    """Return the first word and the rest, as OpenSSH's strdelim: one ``=`` may stand between them.

    Return None if a quote isn't closed.
    """
    found = _DELIMITERS.search(text)
    if found is None:
        return text, ""
    at = found.start()
    if text[at] == '"':
        end = text.find('"', at + 1)
        if end < 0:
            return None
        return text[:at] + text[at + 1 : end], text[end + 1 :].lstrip(_SPACE)
    rest = text[at + 1 :].lstrip(_SPACE)
    if text[at] != "=" and rest.startswith("="):
        rest = rest[1:].lstrip(_SPACE)
    return text[:at], rest


def split_words(text: str) -> list[str]:
    """Return the words up to a comment, as OpenSSH's argv_split. Raises ValueError for a quote that isn't closed."""
    words: list[str] = []
    position = 0
    while position < len(text):
        if text[position] in " \t":
            position += 1
            continue
        if text[position] == "#":
            break
        word, position = first_word(text, position)
        words.append(word)
    return words


def first_word(text: str, position: int) -> tuple[str, int]:
    """Return the word at this position and the position after it."""
    word: list[str] = []
    quote = ""
    while position < len(text):
        letter = text[position]
        following = text[position + 1 : position + 2]
        if letter == "\\" and following and (following in "'\"\\" or (not quote and following == " ")):
            word.append(following)
            position += 1
        elif not quote and letter in " \t":
            break
        elif not quote and letter in "'\"":
            quote = letter
        elif quote and letter == quote:
            quote = ""
        else:
            word.append(letter)
        position += 1
    if quote:
        raise ValueError("a quote is not closed")
    return "".join(word), position


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (".*" if letter == "*" else "." if letter == "?" else re.escape(letter) for letter in pattern)
    return re.compile("".join(parts), re.DOTALL)


def matches(text: str, pattern: str) -> bool:
    """Return whether a pattern matches the whole text: only ``*`` and ``?`` are special, and case counts."""
    return text == pattern or _compiled(re.sub(r"\*+", "*", pattern)).fullmatch(text) is not None


def matches_list(text: str, patterns: str) -> bool:
    """Return whether one of the patterns, joined by commas, matches and none that begins with ``!`` does."""
    found = False
    for pattern in patterns.split(","):
        if pattern.startswith("!"):
            if matches(text, pattern[1:]):
                return False
        elif matches(text, pattern):
            found = True
    return found
