"""Regular expressions with a time limit: Python's ``re`` where it can't take long, ``regex`` with a timeout otherwise.

``re`` backtracks without limit and holds the interpreter lock: with ``^ws-.*-.*-tmp$``, a name of 100,000 characters
blocked a run beyond every deadline and Ctrl-C. Anyone who may start a container chooses its name.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import regex

TEXT_LIMIT_S: Final = 1.0
"""Seconds of processor time for all patterns on one text."""

TOTAL_LIMIT_S: Final = 5.0
"""Seconds of processor time for all texts of one host, or of one ``--limit``."""

LONGEST: Final = 10_000
"""Characters in one pattern."""

MOST_REPEATS: Final = 10_000
"""Limit of the product of all counts in a pattern: ``regex`` expands repetitions, and nested ones multiply."""

_QUICK_TEXT: Final = 256
_REPEATS: Final = "*+?{"
_COUNTED: Final = re.compile(r"\{([0-9]*),?([0-9]*)\}", re.ASCII)
_NO_COUNT: Final = re.compile(r"(\\N?.)|\{(?![0-9]+,?[0-9]*\}|,[0-9]*\})", re.ASCII | re.DOTALL)
_DEFINE: Final = "(?(DEFINE)"

Find = Callable[[str], object]


class PatternTimeout(Exception):
    """Matching a text exceeded its time limit."""


class Matcher:
    """Matches texts within TOTAL_LIMIT_S in all. Each host has its own, so that none uses up another's time."""

    def __init__(self) -> None:
        self._left_s = TOTAL_LIMIT_S
        self._known: dict[tuple[tuple[str, ...], str], bool | None] = {}

    def any(self, patterns: Sequence[str], text: str) -> bool | None:
        """Whether one of ``patterns`` is found in ``text``; None if that took too long, now or in an earlier call."""
        quick, slow = _split_by_speed(tuple(patterns), len(text) > _QUICK_TEXT)
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
        """Match the patterns that may take long now, in the host's own thread and time, and cache the results."""
        if any(sum(_weight(pattern)) for pattern in patterns):
            for text in texts:
                self.any(patterns, text)

    @property
    def results(self) -> Mapping[tuple[tuple[str, ...], str], bool | None]:
        """What was cached, for a Matcher in another process."""
        return dict(self._known)

    def adopt(self, results: Mapping[tuple[tuple[str, ...], str], bool | None]) -> None:
        """Take over what another process matched for this host."""
        self._known.update(results)

    def _search(self, patterns: Sequence[str], text: str) -> bool | None:
        unknown = False
        for_text = TEXT_LIMIT_S
        for position, pattern in enumerate(patterns):
            # An equal share of the time left for each: the last pattern may be the one that matches.
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


def match_prefix(pattern: str, texts: Sequence[str]) -> list[str]:
    """Return the texts that match at their start. Raises PatternTimeout after TOTAL_LIMIT_S for all of them."""
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
    """Raise ValueError with the reason unless this is a Python regular expression that can be limited in time."""
    try:
        # Python warns of patterns whose meaning will change.
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
        raise ValueError("has a group called DEFINE: rename it")
    import regex

    try:
        _bounded_pattern(pattern)
    except (regex.error, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"can't be limited in time: {error}: simplify it") from None


def matches_empty(pattern: str) -> bool:
    """Whether the pattern matches the empty text, and therefore any text. Raises PatternTimeout."""
    return bool(match_prefix(pattern, [""]))


def _is_quick(pattern: str, text: str) -> bool:
    """Whether ``re`` needs at most as many steps as the text's length squared: one repetition, and no nesting."""
    repeats, choices = _weight(pattern)
    if repeats and len(text) > _QUICK_TEXT:
        return False
    return repeats + choices <= 1 or (repeats <= 1 and "(" not in pattern)


@lru_cache(maxsize=256)
def _weight(pattern: str) -> tuple[int, int]:
    """Return upper bounds of the repetitions and alternatives in a pattern: escaped characters count, too."""
    return sum(map(pattern.count, _REPEATS)), pattern.count("|")


@lru_cache(maxsize=256)
def _split_by_speed(patterns: tuple[str, ...], long: bool) -> tuple[tuple[Find, ...], tuple[str, ...]]:
    """Return the search functions of the patterns that ``re`` may search for, and the other patterns."""
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
    # Imported late: most patterns never need it.
    import regex

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # In regex a brace without a count may mean fuzzy matching; in re it is a literal brace.
        braces = _NO_COUNT.sub(lambda found: found[0] if found[1] else r"\{", pattern)
        return regex.compile(braces, regex.VERSION0)


def _bounded(find: Callable[..., object], text: str, seconds: float) -> bool | None:
    """Whether ``find`` finds something; None if it takes longer than ``seconds``."""
    began = time.thread_time()
    for _ in range(3):
        try:
            return find(text, timeout=seconds, concurrent=True) is not None
        except TimeoutError:
            # The timeout counts the time of all threads: among hundreds of busy ones, little of it was this one's.
            if time.thread_time() - began >= seconds / 4:
                break
    return None
