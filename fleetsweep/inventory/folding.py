"""Fold host names into ranges: ``runner-[01-40,44].example.com``, as ClusterShell's NodeSet does. Pure."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

LIMIT: Final = 240
"""Characters of one folded list."""

# A longer run of digits is an id, not a count. Python also refuses to parse thousands of digits.
_NUMBER: Final = re.compile(r"((?<![0-9])[0-9]{1,15}(?![0-9]))")

_PLACES: Final = 12
"""The parts of a name that are compared: its last six numbers, each with the text after it."""

_Key = tuple[str, ...]
_Runs = list[tuple[str, int]]
"""``("01-40", 40)``: a range as written, and how many numbers it holds."""


def fold(names: Sequence[str], limit: int = LIMIT) -> str:
    """Return the names, each once, in natural order, with numbers as ranges, in at most ``limit`` characters.

    ``01-40`` is 40 numbers of two digits, ``8-12`` is five without leading zeros. Several brackets in one name mean
    every combination. Names that do not fit are counted: ``a[1-3], b and 7 more``. The order of ``names`` does not
    matter. No names give an empty string.
    """
    families: dict[_Key, list[_Key]] = defaultdict(list)
    for name in set(names):
        parts = _NUMBER.split(name)
        # The last numbers identify a host; comparing more of them would only cost time.
        parts = ["".join(parts[:-_PLACES]), *parts[-_PLACES:]] if len(parts) > _PLACES else parts
        families[tuple(parts[::2])].append(tuple(parts[1::2]))
    items = [(texts, runs) for texts, numbers in families.items() for runs in _products(numbers)]
    items.sort(key=lambda item: (item[0][0], [_first(runs) for runs in item[1]], item[0]))
    return _join_within(items, len(set(names)), limit)


def _products(numbers: Iterable[_Key]) -> list[list[_Runs]]:
    """Return the tuples of numbers as a small number of products of sets that together hold exactly these tuples."""
    rows = list(numbers)
    if not rows[0]:
        return [[]]
    best: dict[frozenset[str], list[_Key]] = {}
    place = 0
    for at in range(len(rows[0])):
        values: dict[_Key, set[str]] = defaultdict(set)
        for row in rows:
            values[row[:at] + row[at + 1 :]].add(row[at])
        same: dict[frozenset[str], list[_Key]] = defaultdict(list)
        for rest, these in values.items():
            same[frozenset(these)].append(rest)
        # On a tie the last place wins: a host's own number mostly comes after its site's.
        if not best or len(same) <= len(best):
            best, place = same, at
    made: list[list[_Runs]] = []
    for chosen, rests in best.items():
        runs = _runs(chosen)
        made.extend([*product[:place], runs, *product[place:]] for product in _products(rests))
    return made


def _runs(numbers: Iterable[str]) -> _Runs:
    """Return ranges whose numbers are all padded to the width of the first."""
    left = set(numbers)
    runs = []
    for first in sorted(left, key=lambda number: (int(number), len(number))):
        if first not in left:
            continue
        last, count = first, 0
        following = first
        while following in left:
            left.remove(following)
            last, count = following, count + 1
            following = str(int(following) + 1).zfill(len(first))
        runs.append((first if count == 1 else f"{first}-{last}", count))
    return runs


def _first(runs: _Runs) -> tuple[int, int]:
    number = runs[0][0].partition("-")[0]
    return int(number), len(number)


def _format(texts: _Key, places: Sequence[_Runs]) -> str:
    written = [texts[0]]
    for runs, text in zip(places, texts[1:], strict=True):
        ranges = ",".join(run for run, _ in runs)
        written += [ranges if len(runs) == 1 and runs[0][1] == 1 else f"[{ranges}]", text]
    return "".join(written)


def _join_within(items: Sequence[tuple[_Key, list[_Runs]]], total: int, limit: int) -> str:
    shown: list[str] = []
    left = total
    for texts, places in items:
        count = math.prod(sum(number for _, number in runs) for runs in places)
        room = limit - sum(len(text) + 2 for text in shown)
        # The count of omitted names needs space too.
        more = len(f" and {left} more") if left > count else 0
        if len(_format(texts, places)) + more <= room:
            shown.append(_format(texts, places))
            left -= count
            continue
        if _shorten(texts, places, room - len(f" and {left} more")):
            shown.append(_format(texts, places))
            left -= math.prod(sum(number for _, number in runs) for runs in places)
        break
    if not left:
        return ", ".join(shown)
    return f"{', '.join(shown)} and {left} more" if shown else f"{left} host{'' if left == 1 else 's'}"


def _shorten(texts: _Key, places: list[_Runs], room: int) -> bool:
    """Drop ranges from the end of the longest list until it fits. Return whether it fits."""
    while len(_format(texts, places)) > room:
        longest = max(places, key=len, default=[])
        if len(longest) < 2:
            return False
        over = len(_format(texts, places)) - room
        while over > 0 and len(longest) > 1:
            over -= len(longest.pop()[0]) + 1
    return True
