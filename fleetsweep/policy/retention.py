"""Decide whether this machine's clock may be trusted to expire the journal's records. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fleetsweep.model.container import SECOND

AGREEMENT_S: Final = 5 * 60
"""Seconds of skew up to which an engine's clock agrees with this machine's."""

LONGEST_PAUSE_NS: Final = 35 * 86_400 * SECOND
"""Schedules run at least once a month, so a longer pause before a run looks like a clock that jumped."""


def clock_is_sound(skews_s: Sequence[float], previous_ns: int | None, started_ns: int, finished_ns: int) -> bool:
    """Whether a run's clock can be trusted: most surveyed engines agree with it, and it did not jump.

    A run with its clock months ahead once expired a hold, and the next sweep removed the held container. ``skews_s``
    are those of this run's surveys; ``previous_ns`` is when the run before it started, None if there was none.
    """
    agreed = sum(abs(skew_s) <= AGREEMENT_S for skew_s in skews_s)
    if 2 * agreed <= len(skews_s) or previous_ns is None:
        return False
    return previous_ns <= started_ns <= finished_ns and started_ns - previous_ns <= LONGEST_PAUSE_NS
