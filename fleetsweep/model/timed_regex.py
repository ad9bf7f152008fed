"""Regular expressions that end: Python's ``re`` where it can't take long, and ``regex`` with a time-out for the rest.

``re`` tries every way in which a pattern can match, and holds the interpreter meanwhile: a name of 100,000 characters
kept a run at ``^ws-.*-.*-tmp$`` beyond every deadline and Ctrl-C. Names are chosen by whoever may start a container.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import regex

TEXT_LIMIT_S: Final = 1.0
"""Seconds of processor time for all patterns on one text."""

TOTAL_LIMIT_S: Final = 5.0
"""Seconds of processor time for all texts of one host, or of one ``--limit``."""

LONGEST: Final = 10_000
"""Characters of one pattern."""

MOST_REPEATS: Final = 10_000
"""The counts in a pattern, multiplied: ``regex`` writes each repetition out, and nested ones multiply."""

_QUICK_TEXT: Final = 256
_REPEATS: Final = "*+?{"
_COUNTED: Final = re.compile(r"\{([0-9]*),?([0-9]*)\}", re.ASCII)
_NO_COUNT: Final = re.compile(r"(\\N?.)|\{(?![0-9]+,?[0-9]*\}|,[0-9]*\})", re.ASCII | re.DOTALL)
_DEFINE: Final = "(?(DEFINE)"

Find = Callable[[str], object]


class PatternTimeout(Exception):
    """Whether a text matches could not be told in time."""


class Matcher:
    """Whether texts match, within TOTAL_LIMIT_S for all of them. One for each host: none spends another's time."""

    def __init__(self) -> None:
        self._left_s = TOTAL_LIMIT_S
        self._known: dict[tuple[Sequence[str], str], bool | None] = {}

    def any(self, patterns: Sequence[str], text: str) -> bool | None:
        """Whether one of ``patterns`` is found in ``text``; None if that can't be told in time, then always."""
        quick, slow = _parted(tuple(patterns), len(text) > _QUICK_TEXT)
        for find in quick:
            if find(text):
                return True
        if not slow:
            return False
        key = (slow, text)
        if key not in self._known:
            self._known[key] = self._search(slow, text)
        return self._known[key]

    def look_at(self, patterns: Sequence[str], texts: Iterable[str]) -> None:
        """Match what may take long now, in the host's own thread and time. It is remembered."""
        if any(sum(_weight(pattern)) for pattern in patterns):
            for text in texts:
                self.any(patterns, text)

    def _search(self, patterns: Sequence[str], text: str) -> bool | None:
        unknown = False
        for_text = TEXT_LIMIT_S
        for position, pattern in enumerate(patterns):
            # An equal share of what is left: the last may be the one that matches.
            left = min(for_text, self._left_s) / (len(patterns) - position)
            began = time.thread_time()
            found = _bounded(_bounded_pattern(pattern).search, text, left) if left > 0 else None
            spent = time.thread_time() - began
            for_text -= spent
            self._left_s -= spent
            if found:
                return True
            unknown = unknown or found is None
        return None if unknown else False


def starts(pattern: str, texts: Sequence[str]) -> list[str]:
    """Those of ``texts`` that match at their beginning. Raises PatternTimeout after TOTAL_LIMIT_S for all."""
    found, left = [], TOTAL_LIMIT_S
    for text in texts:
        if _is_quick(pattern, text):
            matches: bool | None = _match(pattern)(text) is not None
        else:
            began = time.thread_time()
            matches = _bounded(_bounded_pattern(pattern).match, text, min(left, TEXT_LIMIT_S)) if left > 0 else None
            left -= time.thread_time() - began
        if matches is None:
            raise PatternTimeout
        if matches:
            found.append(text)
    return found


def check(pattern: str) -> None:
    """Raise ValueError, which says why, unless this is a regular expression of Python's that can be bounded in time."""
    try:
        # A pattern that Python warns of will mean something else one day.
        with warnings.catch_warnings(action="error"):
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    if _is_quick(pattern, ""):
        return
    if len(pattern) > LONGEST:
        raise ValueError(f"has more than {LONGEST} characters")
    repeats = 1
    for least, most in _COUNTED.findall(pattern):
        repeats *= max(1, int(most or least or 1))
    if repeats > MOST_REPEATS:
        raise ValueError(f"repeats more than {MOST_REPEATS} times, its counts multiplied")
    if _DEFINE in pattern:
        raise ValueError("has a group called DEFINE: call it otherwise")
    import regex

    try:
        _bounded_pattern(pattern)
    except (regex.error, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"can't be bounded in time: {error}: write it more simply") from None


def matches_nothing_written(pattern: str) -> bool:
    """Whether the pattern matches the empty text, and so any. Raises PatternTimeout."""
    return bool(starts(pattern, [""]))


def _is_quick(pattern: str, text: str) -> bool:
    """Whether ``re`` needs at most as many steps as the text's length squared: one repetition, and no nesting."""
    repeats, choices = _weight(pattern)
    if repeats and len(text) > _QUICK_TEXT:
        return False
    return repeats + choices <= 1 or (repeats <= 1 and "(" not in pattern)


@lru_cache(maxsize=256)
def _weight(pattern: str) -> tuple[int, int]:
    """How many repetitions and alternatives a pattern has at the most: what is escaped counts, too."""
    return sum(map(pattern.count, _REPEATS)), pattern.count("|")


@lru_cache(maxsize=256)
def _parted(patterns: tuple[str, ...], long: bool) -> tuple[tuple[Find, ...], tuple[str, ...]]:
    """The patterns that ``re`` may look for in a text of that kind, ready to be used, and the others."""
    text = "x" * (_QUICK_TEXT + long)
    slow = tuple(pattern for pattern in patterns if not _is_quick(pattern, text))
    return tuple(_quick(pattern) for pattern in patterns if pattern not in slow), slow


@lru_cache(maxsize=256)
def _quick(pattern: str) -> Find:
    return re.compile(pattern).search


@lru_cache(maxsize=256)
def _match(pattern: str) -> Find:
    return re.compile(pattern).match


@lru_cache(maxsize=256)
def _bounded_pattern(pattern: str) -> regex.Pattern[str]:
    # Here and not above: most patterns never need it.
    import regex

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # To regex a brace that holds no count may mean a match with errors; to re it is a brace.
        braces = _NO_COUNT.sub(lambda found: found[0] if found[1] else r"\{", pattern)
        return regex.compile(braces, regex.VERSION0)


def _bounded(find: Callable[..., object], text: str, seconds: float) -> bool | None:
    """Whether ``find`` finds something; None if that takes longer."""
    began = time.thread_time()
    for _ in range(3):
        try:
            return find(text, timeout=seconds, concurrent=True) is not None
        except TimeoutError:
            # It counts the time of all threads together: where hundreds are at work, little of it was this one's.
            if time.thread_time() - began >= seconds / 4:
                break
    return None
