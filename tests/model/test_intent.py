"""Open intents and what a later run found of them."""

from __future__ import annotations

from fleetsweep.model.intent import OpenIntent, SettledAs, Settlement


def test_an_intent_of_an_older_version_has_no_identity() -> None:
    assert OpenIntent(1, "run", "a", "local", "1" * 64, "ws-1", 0).identity == ""


def test_a_settlement_is_final_unless_its_engine_was_not_surveyed() -> None:
    intent = OpenIntent(1, "run", "a", "local", "1" * 64, "ws-1", 0)
    assert Settlement(intent, SettledAs.GONE).final
    assert Settlement(intent, SettledAs.UNKNOWN, final=False) != Settlement(intent, SettledAs.UNKNOWN)


def test_the_stored_words_of_a_settlement_are_stable() -> None:
    assert [str(word) for word in SettledAs] == ["gone", "still-there", "unknown"]
