"""Whether this machine's clock may decide what the journal forgets. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fleetsweep.model.container import SECOND

AGREEMENT_S: Final = 5 * 60
"""Seconds. An engine whose clock is no further off agrees with this machine."""

LONGEST_PAUSE_NS: Final = 35 * 86_400 * SECOND
"""A schedule runs once a month at least: a longer pause before a run looks like a clock that leapt."""


def clock_is_sound(skews_s: Sequence[float], previous_ns: int | None, started_ns: int, finished_ns: int) -> bool:
    """Whether a run's clock can be believed: most engines that it looked at agree, and it did not leap.

    A look with the clock months ahead once forgot a hold, and the next sweep removed what was held. ``skews_s`` are
    those of this run's looks; ``previous_ns`` is when the run before it began.
    """
    agreed = sum(abs(skew_s) <= AGREEMENT_S for skew_s in skews_s)
    if 2 * agreed <= len(skews_s) or previous_ns is None:
        return False
    return previous_ns <= started_ns <= finished_ns and started_ns - previous_ns <= LONGEST_PAUSE_NS
