"""Fit tables and sentences into the width of a terminal. Pure.

A width is in terminal cells: a CJK character takes two, a combining mark none. None means that there is no limit, as in
a file or a pipe. All text given here is printable (``report/escape.py``).
"""

from __future__ import annotations

import re
import string
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest
from typing import Final

from fleetsweep.report.escape import ELLIPSIS

GAP: Final = "  "
_EMPTY: Final = frozenset({"", "-"})
# Tabulate counts characters. So a cell with others than these is laid out as a stand-in of its width.
_ONE_CELL_EACH: Final = re.compile(f"[ -~{ELLIPSIS}]*")
_STAND_IN: Final = "\ue000"
_TAILS: Final = (0.5, 0.25, 0.0, 0.75, 1.0)
_ALNUM: Final = string.ascii_letters + string.digits
_BEFORE_COMMAND: Final = re.compile(
    r"(?<=: )(?=(?:ssh|ssh-[a-z-]+|sudo|chmod|chown|mkdir|rm|rmdir|usermod|systemctl|namei|docker|fleetsweep) )"
    # What goes on in prose can't be pasted anyway.
    r"(?!.*[;,] (?:or|then|and) )"
)
_CONTINUED: Final = " \\"
# A word of a shell command, with its quotes.
_WORD: Final = re.compile(r"""(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+""")
_QUOTED: Final = re.compile(r"""\\.|'[^']*'|"(?:[^"\\]|\\.)*"|.""")
_ESCAPED: Final = re.compile(r"\\.|.")


class Cut(Enum):
    """What may be done with a cell that is too wide for its column."""

    NO = "no"
    MIDDLE = "middle"
    END = "end"
    WRAP = "wrap"


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column. ``least`` is the width to which its cells may be cut or wrapped.

    Where that does not make the table fit, columns with a ``rank`` are left out: the highest first. The first column
    always stays.
    """

    name: str
    align: str = "left"
    cut: Cut = Cut.NO
    least: int = 0
    rank: int = 0


def name_column(name: str, *, rank: int = 0) -> Column:
    """Return a column of names, which are cut in the middle: they mostly differ at their ends."""
    return Column(name, cut=Cut.MIDDLE, least=12, rank=rank)


def number_column(name: str, *, rank: int = 0) -> Column:
    """Return a column of numbers, which are never cut."""
    return Column(name, "right", rank=rank)


def text_column(name: str, *, rank: int = 0) -> Column:
    """Return a column of sentences, which are wrapped inside their column."""
    return Column(name, cut=Cut.WRAP, least=20, rank=rank)


Rows = Sequence[Sequence[str]]


def table(columns: Sequence[Column], rows: Rows, width: int | None = None) -> list[str]:
    """Return the lines of a table within ``width``: the header, the rows, and the names of omitted columns, if any."""
    shown, fitted = fit(columns, rows, width)
    return [*lay_out(shown, fitted), *omitted_line(columns, shown, width)]


def fit(columns: Sequence[Column], rows: Rows, width: int | None) -> tuple[list[Column], list[list[str]]]:
    """Return the columns that fit into ``width`` and the rows' cells in them, cut or wrapped where needed.

    A wrapped row becomes several. Columns without any value are the first to be left out.
    """
    widths = [max(map(_room_for, cells)) for cells in zip([c.name for c in columns], *rows, strict=True)]
    if width is None or _total(widths) <= width:
        return [*columns], [[*row] for row in rows]
    least = [
        widths[at] if column.cut is Cut.NO else min(widths[at], max(column.least, len(column.name)))
        for at, column in enumerate(columns)
    ]
    kept = list(range(len(columns)))
    for at in _order_of_omission(columns, rows):
        if _total(least[at] for at in kept) <= width:
            break
        kept.remove(at)
    room = width - len(GAP) * (len(kept) - 1)
    given = _share(room, [widths[at] for at in kept], [least[at] for at in kept])
    shown = [columns[at] for at in kept]
    cells = [_cut_column([row[at] for row in rows], columns[at], room) for at, room in zip(kept, given, strict=True)]
    fitted: list[list[str]] = []
    for row in zip(*cells, strict=True):
        fitted += map(list, zip_longest(*row, fillvalue=""))
    return shown, fitted


def lay_out(columns: Sequence[Column], rows: Rows) -> list[str]:
    """Return the header's line and one line a row, aligned, without spaces at their ends."""
    # Imported here: most commands print no table, and each shell completion would wait for it.
    from tabulate import tabulate

    originals: list[str] = []

    def stand_in(cell: str) -> str:
        if cell.isascii() or _ONE_CELL_EACH.fullmatch(cell):
            return cell
        originals.append(cell)
        return _STAND_IN * _room_for(cell)

    cells = [[stand_in(cell) for cell in row] for row in rows]
    # The headers go in as a row: tabulate would pad headers by two columns each.
    # Without disable_numparse a host called 1e5 would be printed as 100000.
    header = [column.name for column in columns]
    text = tabulate(
        [header, *cells], tablefmt="plain", disable_numparse=True, colalign=[column.align for column in columns]
    )
    found = iter(originals)
    text = re.sub(f"{_STAND_IN}+", lambda _: next(found), text) if originals else text
    return [line.rstrip(" ") for line in text.split("\n")]


def omitted_line(columns: Sequence[Column], shown: Sequence[Column], width: int | None) -> list[str]:
    """Return a sentence with the names of the columns that were left out; no line where there are none."""
    names = [column.name for column in columns if column not in shown]
    return wrap(f"(not shown at this width: {', '.join(names)})", width, " ") if names else []


def cell_width(text: str) -> int:
    """Return how many terminal cells a printable text takes at the most."""
    if text.isascii() or _ONE_CELL_EACH.fullmatch(text):
        return len(text)
    from rich.cells import get_character_cell_size

    # Where a terminal joins characters, it takes fewer cells than the sum.
    return sum(map(get_character_cell_size, text))


def _room_for(cell: str) -> int:
    """Return how many cells a table gives to a value: one at the least, also to a lone combining mark."""
    return max(1, cell_width(cell)) if cell else 0


def cut_end(text: str, width: int) -> str:
    """Return a text in at most ``width`` cells (at least 1). An ellipsis marks a cut at its end."""
    return text if cell_width(text) <= width else _head(text, width - 1) + ELLIPSIS


def cut_middle(text: str, width: int, tail: float = 0.5) -> str:
    """Return a text in at most ``width`` cells (at least 1). ``tail`` is the share that is kept after the cut."""
    if cell_width(text) <= width:
        return text
    end = _head(text[::-1], int((width - 1) * tail))[::-1]
    return _head(text, width - 1 - cell_width(end)).removesuffix(ELLIPSIS) + ELLIPSIS + end


def cut_names(names: Sequence[str], width: int) -> list[str]:
    """Return names in at most ``width`` cells, all cut at the same place, where as few as possible become alike.

    The names of a fleet often share their end, a domain: what they share is cut first.
    """
    wide = {name for name in names if cell_width(name) > width}
    best, fewest = [*names], len(names) + 1
    # Folded names begin with what differs: runner-[003,023,…
    first = 0.0 if any("[" in name for name in wide) else _shared_tail(wide, width)
    for tail in (first, *_TAILS) if wide else ():
        cut = [cut_middle(name, width, tail) for name in names]
        lost = len(set(names)) - len(set(cut))
        if lost < fewest:
            best, fewest = cut, lost
        if not lost:
            break
    return best


def _shared_tail(names: Collection[str], width: int) -> float:
    """Return the share that is kept after the cut so that it cuts what the names share at their ends or beginnings."""
    if len(names) < 2:
        return 0.25
    # A number is shared whole or not at all: 13 and 23 share no 3.
    start = _shared_start(names).rstrip(_ALNUM)
    end = _shared_start([name[::-1] for name in names]).rstrip(_ALNUM)
    longest, half = max(map(cell_width, names)), (width - 1) // 2
    if max(cell_width(start), cell_width(end)) <= longest - width:
        return 0.25
    if cell_width(end) >= cell_width(start):
        kept = min(half, width - 1 - (longest - cell_width(end)))
    else:
        kept = max(half, longest - cell_width(start))
    return max(0, min(kept, width - 1)) / max(1, width - 1)


def _shared_start(names: Collection[str]) -> str:
    first, last = min(names), max(names)
    differs = next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    return first[:differs]


def wrap(text: str, width: int | None, indent: str = "") -> list[str]:
    """Return a text in lines of at most ``width`` cells, broken at spaces; all but the first begin with ``indent``.

    A word that is too long for a line is broken too.
    """
    if width is None or cell_width(text) <= width:
        return [text]
    lines, line = [], ""
    for number, word in enumerate(text.split(" ")):
        joined = f"{line} {word}" if number else word
        if cell_width(joined) <= width:
            line = joined
            continue
        if line.strip():
            lines.append(line)
            joined = indent + word
        while cell_width(joined) > width:
            head = _head(joined, width) or joined[:1]
            # A list of names is broken after a comma.
            head = head[: max(len(indent), head.rfind(",")) + 1] if "," in head[len(indent) :] else head
            lines.append(head)
            joined = (indent if len(head) > len(indent) else "") + joined[len(head) :]
        line = joined
    return [*lines, line]


def wrap_remedy(text: str, width: int | None, indent: str = "") -> list[str]:
    """Return a remedy in lines of at most ``width`` cells. A command at its end can still be pasted.

    All but the first line begin with ``indent``.
    """
    if width is None or cell_width(text) <= width:
        return [text]
    prose, *command = _BEFORE_COMMAND.split(text, maxsplit=1)
    lines = wrap(prose.rstrip(" "), width, indent)
    for words in command:
        lines += wrap_command(words, width, indent, indent)
    return lines


def wrap_command(command: str, width: int | None, prompt: str = "", indent: str = "") -> list[str]:
    """Return a shell command in lines of ``width`` cells that can be pasted: each but the last ends with a backslash.

    The first begins with ``prompt``, the others with ``indent``: without it where a word that is too long goes on.
    """
    words = _WORD.findall(command)
    if width is None or cell_width(prompt + command) <= width or " ".join(words) != command:
        return [prompt + command]
    lines = [prompt]
    between = ""
    for word in words:
        joined = f"{lines[-1]}{between}{word}"
        between = " "
        if cell_width(joined) <= width - len(_CONTINUED):
            lines[-1] = joined
            continue
        if lines[-1] != prompt:
            lines[-1] += _CONTINUED
            lines.append(indent)
        first, *more = _split_word(word, width - len(lines[-1]) - len(_CONTINUED), width - len(_CONTINUED))
        lines[-1] += first
        lines += more
    return lines


def _split_word(word: str, room: int, more_room: int) -> list[str]:
    """Return a word of a command in pieces that a shell joins: the first within ``room`` cells, the others a line each.

    All but the last end with a backslash, and none ends within quotes.
    """
    if cell_width(word) <= room:
        return [word]
    pieces, piece, opened = [], "", ""
    for quote, text in _quoted_characters(word):
        added = text if quote == opened else f"{opened}{quote}{text}"
        if piece and cell_width(piece + added + quote) >= room:
            pieces.append(f"{piece}{opened}\\")
            piece, room, added = "", more_room, quote + text
        piece, opened = piece + added, quote
    return [*pieces, piece + opened]


def _quoted_characters(word: str) -> Iterator[tuple[str, str]]:
    """Yield each character of a word as it is written, with its backslash, and before it the quote that it is in."""
    for part in _QUOTED.findall(word):
        quote = part[0] if part[0] in "'\"" and len(part) > 1 else ""
        for text in _ESCAPED.findall(part[1:-1]) if quote == '"' else part[1:-1] if quote else (part,):
            yield quote, text


def _head(text: str, width: int) -> str:
    """Return the first characters that fit into ``width`` cells."""
    if text.isascii() or _ONE_CELL_EACH.fullmatch(text):
        return text[: max(0, width)]
    taken = 0
    for at, character in enumerate(text):
        taken += cell_width(character)
        if taken > width:
            return text[:at]
    return text


def _total(widths: Iterable[int]) -> int:
    """Return the width of a table whose columns have these widths."""
    each = [*widths]
    return sum(each) + len(GAP) * (len(each) - 1)


def table_width(columns: Sequence[Column], rows: Rows) -> int:
    """Return the width of a table's longest line."""
    return _total(max(map(cell_width, cells)) for cells in zip([c.name for c in columns], *rows, strict=True))


def _order_of_omission(columns: Sequence[Column], rows: Rows) -> list[int]:
    """Return the numbers of the columns in the order in which they are left out; the first column is not among them."""
    empty = {at for at in range(len(columns)) if all(row[at] in _EMPTY for row in rows)}
    return sorted(
        range(1, len(columns)),
        key=lambda at: (not columns[at].rank, at not in empty, -columns[at].rank, -at),
    )


def _share(room: int, widths: Sequence[int], least: Sequence[int]) -> list[int]:
    """Return the columns' widths within ``room``: the widest are cut first, none below its least while that fits."""
    given = [*widths]
    while sum(given) > room:
        larger = [at for at, each in enumerate(given) if each > least[at]]
        if not larger:
            # Only the first column is left, and its least is too much.
            return [max(1, room)] if len(given) == 1 else given
        given[max(larger, key=lambda at: given[at])] -= 1
    return given


def _cut_column(cells: Sequence[str], column: Column, width: int) -> list[list[str]]:
    """Return the lines of each cell of a column."""
    if column.cut is Cut.WRAP:
        return [wrap(cell, width) for cell in cells]
    cut = cut_names(cells, width) if column.cut is Cut.MIDDLE else [cut_end(cell, width) for cell in cells]
    return [[cell] for cell in cut]
