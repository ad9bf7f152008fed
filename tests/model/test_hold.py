"""A hold: who wants a container kept, until when, and why."""

from __future__ import annotations

from fleetsweep.model.container import SECOND
from fleetsweep.model.hold import Hold

HOLD = Hold("1" * 64, "runner-1", "ws-1", "debugging", "ann", 0, 1_800_000_000 * SECOND)


def test_a_hold_names_who_until_when_and_why() -> None:
    assert HOLD.words == "held by ann until 2027-01-15T08:00:00Z: debugging"


def test_a_holds_end_is_rounded_down_to_a_second() -> None:
    later = Hold("1" * 64, "runner-1", "ws-1", "debugging", "ann", 0, 1_800_000_001 * SECOND - 1)
    assert later.words == HOLD.words
