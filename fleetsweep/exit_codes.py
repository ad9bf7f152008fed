"""The exit codes: the meaning of each, and which one counts where two apply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OK: Final = 0
BUG: Final = 1
USAGE: Final = 2
INCOMPLETE: Final = 3
GUARD: Final = 4
REMOVAL: Final = 5
STALE: Final = 6
SIGNAL: Final = 128
"""Added to the number of the signal that stopped the run."""

INTERRUPTED: Final = SIGNAL + 2

MEANINGS: Final[Mapping[int, str]] = {
    OK: "all is well",
    USAGE: "usage: nothing was contacted",
    INCOMPLETE: "a host was unreachable or unusable, or something was not written",
    GUARD: "a guard tripped",
    REMOVAL: "a removal failed or is unknown",
    STALE: "stale containers were found (--fail-on-stale)",
    BUG: "a bug in fleetsweep",
}

_MOST_IMPORTANT_FIRST: Final = (GUARD, REMOVAL, INCOMPLETE, STALE, USAGE, BUG, OK)


def worst(*codes: int) -> int:
    """Return the code that counts. A signal comes first and a bug last, since it does not undo the others' causes."""
    signals = [code for code in codes if code > SIGNAL]
    return signals[0] if signals else min(codes, key=_MOST_IMPORTANT_FIRST.index, default=OK)


def meaning(code: int) -> str:
    """Return an exit code in words."""
    return MEANINGS.get(code) or f"stopped by signal {code - SIGNAL}"
