"""What a box said, made safe to print: on a terminal, in a spreadsheet, in Markdown, in JSON.

A container's name, image, label or error is whatever the box likes: terminal codes that rewrite the rows
above, a clipboard write (OSC 52), text that runs backwards, a formula, a table cell that ends early.
"""

from __future__ import annotations

import re
from typing import Final

LIMIT: Final = 400
"""Characters of one box string that a person is shown."""

ELLIPSIS: Final = "…"

# Letters and marks that Python calls printable and a terminal shows as nothing, so that two names look alike.
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)

# The full-width forms are formulas too, to a spreadsheet in a Japanese or Chinese locale.
_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001

_MARKDOWN: Final = re.compile(r"[\\`*_\[\]|#~$!@]|:(?=//)")
_HTML: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def printable(text: str, limit: int = LIMIT) -> str:
    r"""Give ``text`` on one line without a character that a terminal would obey or hide.

    Control characters, line ends, bidirectional and zero-width characters, lone surrogates (bad UTF-8) and
    spaces other than the plain one become ``\xNN``, ``\uNNNN`` or ``\UNNNNNNNN``. The result is at most
    ``limit`` (at least 1) characters long; an ellipsis marks what was cut, and no escape is cut in two.
    """
    if len(text) <= limit and text.isprintable() and not _INVISIBLE.search(text):
        return text
    # Every character gives at least one: the rest of a megabyte need not be looked at.
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
    """Give ``text`` printable, and as text to a spreadsheet: a formula is prefixed with an apostrophe.

    The result is at most ``limit`` + 1 characters. https://owasp.org/www-community/attacks/CSV_Injection
    """
    cell = printable(text, limit)
    # Some importers trim a cell before they read it.
    return f"'{cell}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else cell


def markdown_text(text: str, limit: int = LIMIT) -> str:
    """Give ``text`` printable and without meaning to Markdown or HTML, to stand inside a line or a cell.

    ``limit`` counts the characters that are shown. What means something only at the start of a line
    (a list, a rule) is left alone: put something in front. https://spec.commonmark.org/0.31.2/#backslash-escapes
    """
    return _MARKDOWN.sub(r"\\\g<0>", printable(text, limit)).translate(_HTML)


def well_formed(text: str) -> str:
    r"""Give ``text`` whole, with each surrogate as a visible ``\udNNN``, so that it has a UTF-8 form.

    Python writes a lone surrogate into JSON without complaint; stricter readers refuse the whole report.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
