"""Escaping text from a box: for a terminal, a spreadsheet, Markdown and JSON.

A box chooses a container's name, image, labels and errors. They may hold terminal codes that rewrite the rows above, a
clipboard write (OSC 52), bidirectional overrides, a formula, or the end of a table cell.
"""

from __future__ import annotations

import re
from typing import Final

LIMIT: Final = 400
"""Characters shown of one string from a box."""

ELLIPSIS: Final = "…"

# Characters that Python calls printable and a terminal shows as nothing: two names would look the same.
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)

# A spreadsheet in a Japanese or Chinese locale takes the full-width forms for formulas too.
_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001

_MARKDOWN: Final = re.compile(r"[\\`*_\[\]|#~$!@]|:(?=//)")
_HTML: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def printable(text: str, limit: int = LIMIT) -> str:
    r"""Return ``text`` on one line, without characters that a terminal interprets or hides.

    Control characters, line ends, bidirectional and zero-width characters, lone surrogates (bad UTF-8) and
    spaces other than the plain one become ``\xNN``, ``\uNNNN`` or ``\UNNNNNNNN``. The result is at most
    ``limit`` (at least 1) characters long; an ellipsis marks a cut, and no escape is cut in two.
    """
    if len(text) <= limit and text.isprintable() and not _INVISIBLE.search(text):
        return text
    # Each character becomes one or more, so the rest of a megabyte need not be read.
    pieces = [_visible(character) for character in text[: limit + 1]]
    length = sum(map(len, pieces))
    if length <= limit:
        return "".join(pieces)
    while length > limit - len(ELLIPSIS):
        length -= len(pieces.pop())
    return "".join(pieces) + ELLIPSIS


def _visible(character: str) -> str:
    if character.isprintable() and not _INVISIBLE.match(character):
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def csv_cell(text: str, limit: int = LIMIT) -> str:
    """Return ``text`` printable, with an apostrophe before what a spreadsheet would take for a formula.

    The result is at most ``limit`` + 1 characters. https://owasp.org/www-community/attacks/CSV_Injection
    """
    cell = printable(text, limit)
    # Some importers trim a cell before they interpret it.
    return f"'{cell}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else cell


def markdown_text(text: str, limit: int = LIMIT) -> str:
    """Return ``text`` printable and with Markdown and HTML escaped, for the inside of a line or a cell.

    ``limit`` counts the characters shown. Markup that counts only at the start of a line (a list, a rule) is not
    escaped: put something before it. https://spec.commonmark.org/0.31.2/#backslash-escapes
    """
    return _MARKDOWN.sub(r"\\\g<0>", printable(text, limit)).translate(_HTML)


def well_formed(text: str) -> str:
    r"""Return ``text`` whole, with each lone surrogate as a visible ``\udNNN``, so that it can be encoded as UTF-8.

    Python writes lone surrogates into JSON; stricter readers refuse the whole report.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
