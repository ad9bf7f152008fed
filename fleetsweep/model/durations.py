"""Durations as people say them: ``2 d 3 h``, ``5 min``. Pure."""

from __future__ import annotations

import math
from typing import Final

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def in_words(seconds: float, units: int = 2) -> str:
    """Return a duration, rounded down, in at most ``units`` neighbouring units. One that is not finite has its name."""
    if not math.isfinite(seconds):
        return f"{seconds:.0f} s"
    rest = int(abs(seconds))
    parts: list[str] = []
    left = units
    for size, unit in _UNITS:
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number} {unit}")
        if parts:
            left -= 1
        if not left:
            break
    return ("-" if seconds < 0 and parts else "") + (" ".join(parts) or "0 s")


def compared(*seconds: float) -> list[str]:
    """Return durations in two units or, where different ones would then read the same, in as many as it takes."""
    for units in range(2, len(_UNITS) + 1):
        words = [in_words(each, units) for each in seconds]
        if len(set(words)) == len({int(each) if math.isfinite(each) else each for each in seconds}):
            break
    return words
