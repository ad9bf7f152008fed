"""Records of the journal."""

from __future__ import annotations

from fleetsweep.model.container import SECOND
from fleetsweep.model.journal import Hold, OpenIntent, SettledAs, Settlement

HOLD = Hold("1" * 64, "runner-1", "ws-1", "debugging", "ann", 0, 1_800_000_000 * SECOND)


def test_a_hold_names_who_until_when_and_why() -> None:
    assert HOLD.words == "held by ann until 2027-01-15T08:00:00Z: debugging"


def test_a_holds_end_is_rounded_down_to_a_second() -> None:
    later = Hold("1" * 64, "runner-1", "ws-1", "debugging", "ann", 0, 1_800_000_001 * SECOND - 1)
    assert later.words == HOLD.words


def test_an_intent_of_an_older_version_has_no_identity() -> None:
    assert OpenIntent(1, "run", "a", "local", "1" * 64, "ws-1", 0).identity == ""


def test_a_settlement_is_final_unless_its_engine_was_not_surveyed() -> None:
    intent = OpenIntent(1, "run", "a", "local", "1" * 64, "ws-1", 0)
    assert Settlement(intent, SettledAs.GONE).final
    assert Settlement(intent, SettledAs.UNKNOWN, final=False) != Settlement(intent, SettledAs.UNKNOWN)


def test_the_stored_words_of_a_settlement_are_stable() -> None:
    assert [str(word) for word in SettledAs] == ["gone", "still-there", "unknown"]
