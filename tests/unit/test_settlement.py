"""What earlier runs left open is settled by what is seen where it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetsweep.model import Fault, Host, Lost, OpenIntent, SettledAs, Status, Survey
from fleetsweep.settlement import settle
from tests.unit.test_policy import many, survey

(ITEM,) = many(1)
HOST = Host("a", "127.0.0.1")
INTENT = OpenIntent(1, "run", "a", HOST.endpoint, ITEM.id, "ws-1", 0)
LOST = Lost(HOST, Fault(Status.UNREACHABLE, None, "timeout", ""), 1.0)


def look(name: str, *, address: str = "127.0.0.1", there: bool = False) -> Survey:
    return replace(survey(name, [ITEM] if there else []), host=Host(name, address))


@pytest.mark.parametrize(
    ("surveys", "expected"),
    [
        ([look("a", there=True)], {"a": (SettledAs.STILL_THERE, True)}),
        ([look("a")], {"a": (SettledAs.GONE, True)}),
        ([look("renamed")], {"renamed": (SettledAs.GONE, True)}),
        ([look("a", address="192.0.2.1")], {"a": (SettledAs.UNKNOWN, True)}),
        ([look("a", address="::1"), look("b", address="::2", there=True)], {"b": (SettledAs.STILL_THERE, True)}),
        ([LOST], {"a": (SettledAs.UNKNOWN, False)}),
        ([replace(LOST, host=Host("a", "192.0.2.1"))], {"a": (SettledAs.UNKNOWN, False)}),
        ([look("b", address="192.0.2.2")], {}),
        ([], {}),
    ],
)  # fmt: skip
def test_an_intent_is_settled_only_by_a_look_at_its_place(
    surveys: list[Survey | Lost], expected: dict[str, tuple[SettledAs, bool]]
) -> None:
    found = settle([INTENT], surveys)
    assert {name: (each.outcome, each.final) for name, (each,) in found.items()} == expected


def test_each_intent_is_settled_for_itself_whatever_becomes_of_those_before_it() -> None:
    items = many(4)
    intents = [
        OpenIntent(number, "run", name, Host(name, f"192.0.2.{number}").endpoint, item.id, item.name, 0)
        for number, (name, item) in enumerate(zip(("away", "lost", "seen", "seen"), items, strict=True))
    ]
    intents[3] = replace(intents[3], endpoint=intents[2].endpoint)
    seen = replace(survey("seen", [items[3]]), host=Host("seen", "192.0.2.2"))
    found = settle(intents, [replace(LOST, host=Host("lost", "192.0.2.1")), seen])
    assert {name: [(each.intent, each.outcome) for each in settled] for name, settled in found.items()} == {
        "lost": [(intents[1], SettledAs.UNKNOWN)],
        "seen": [(intents[2], SettledAs.GONE), (intents[3], SettledAs.STILL_THERE)],
    }
