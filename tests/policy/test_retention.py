"""What may be forgotten is decided by a clock that the engines agree with, and that did not leap."""

from __future__ import annotations

import math

import pytest

from fleetsweep.model.container import SECOND
from fleetsweep.policy.retention import LONGEST_PAUSE_NS, clock_is_sound

NOW = 1_800_000_000 * SECOND
HOUR = 3600 * SECOND


@pytest.mark.parametrize(
    ("skews", "previous", "started", "finished", "sound"),
    [
        ([0.2], NOW - HOUR, NOW, NOW + SECOND, True),
        ([300.0], NOW, NOW, NOW, True),
        ([300.1], NOW, NOW, NOW, False),
        ([0.2, -1.0, 9e9], NOW - HOUR, NOW, NOW + SECOND, True),
        ([0.2, 9e9], NOW - HOUR, NOW, NOW + SECOND, False),
        ([math.nan], NOW - HOUR, NOW, NOW + SECOND, False),
        ([-121 * 86400.0], NOW - HOUR, NOW, NOW + SECOND, False),
        ([], NOW - HOUR, NOW, NOW + SECOND, False),
        ([0.2], None, NOW, NOW + SECOND, False),
        ([0.2], NOW - LONGEST_PAUSE_NS, NOW, NOW + SECOND, True),
        ([0.2], NOW - LONGEST_PAUSE_NS - 1, NOW, NOW + SECOND, False),
        ([0.2], NOW + HOUR, NOW, NOW + SECOND, False),
        ([0.2], NOW - HOUR, NOW, NOW - SECOND, False),
    ],
    ids=[
        *("agreed", "just agreed", "just not"),
        *("most agree", "half agree", "not a number", "the engines are behind", "nobody was looked at"),
        *("the first run", "a long pause", "a leap ahead", "a leap back", "a leap within the run"),
    ],
)  # fmt: skip
def test_a_clock_is_believed_only_where_engines_agree_and_it_did_not_leap(
    skews: list[float], previous: int | None, started: int, finished: int, sound: bool
) -> None:
    assert clock_is_sound(skews, previous, started, finished) is sound
