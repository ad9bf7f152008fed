"""What earlier runs left open is settled by what is seen where it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetsweep.errors import FaultKind
from fleetsweep.model.host import Host
from fleetsweep.model.intent import OpenIntent, SettledAs
from fleetsweep.model.survey import Engine, FailedSurvey, Fault, Status, Survey
from fleetsweep.policy.identity import identity_of
from fleetsweep.policy.reconcile import Concern, settle
from tests.policy.test_rules import many, survey

(ITEM,) = many(1)
HOST = Host("a", "127.0.0.1")
KEY = "ssh-ed25519 SHA256:a"
ENGINE = Engine("docker", "Docker/20", "1.41", "streamlocal", "ID-A", KEY)
INTENT = OpenIntent(1, "run", "a", HOST.endpoint, ITEM.id, "ws-1", 0, identity_of(HOST, ENGINE))
OLD = replace(INTENT, identity="")
LOST = FailedSurvey(HOST, Fault(Status.UNREACHABLE, None, FaultKind.TIMEOUT, ""), 1.0)


def look(name: str, *, there: bool = False, engine: Engine = ENGINE) -> Survey:
    return replace(survey(name, [ITEM] if there else []), host=Host(name, "127.0.0.1"), engine=engine)


OTHER_KEY = replace(ENGINE, host_key="ssh-ed25519 SHA256:b")
OTHER_ID = replace(ENGINE, id="ID-B")
NOT_ASKED = replace(ENGINE, id=None)
PODMAN = replace(ENGINE, kind="podman", id="made up")


@pytest.mark.parametrize(
    ("surveys", "expected"),
    [
        ([look("a", there=True)], {"a": (SettledAs.STILL_THERE, True)}),
        ([look("a")], {"a": (SettledAs.GONE, True)}),
        ([look("renamed")], {"renamed": (SettledAs.GONE, True)}),
        ([look("a", engine=OTHER_KEY)], {"a": (SettledAs.UNKNOWN, False)}),
        ([look("a", engine=OTHER_ID)], {"a": (SettledAs.UNKNOWN, False)}),
        ([look("a", engine=NOT_ASKED)], {"a": (SettledAs.UNKNOWN, False)}),
        ([look("a", engine=PODMAN)], {"a": (SettledAs.UNKNOWN, False)}),
        ([look("a"), look("b", engine=OTHER_KEY, there=True)], {"a": (SettledAs.GONE, True)}),
        ([look("a", there=True), look("b", engine=OTHER_KEY)], {"a": (SettledAs.STILL_THERE, True)}),
        ([LOST, look("b", engine=OTHER_ID, there=True)], {"a": (SettledAs.UNKNOWN, False)}),
        ([LOST], {"a": (SettledAs.UNKNOWN, False)}),
        ([replace(LOST, host=Host("a", "192.0.2.1"))], {"a": (SettledAs.UNKNOWN, False)}),
        ([look("b", engine=OTHER_KEY, there=True)], {}),
        ([], {}),
    ],
)
def test_an_intent_is_settled_only_by_the_engine_that_it_was_planned_on(
    surveys: list[Survey | FailedSurvey], expected: dict[str, tuple[SettledAs, bool]]
) -> None:
    found = settle([INTENT], surveys)
    assert {name: (each.outcome, each.final) for name, (each,) in found.items()} == expected


@pytest.mark.parametrize(("there", "final"), [(True, True), (False, True), (None, False)])
def test_an_intent_that_names_no_engine_is_given_up_at_the_first_look_at_its_host(
    there: bool | None, final: bool
) -> None:
    found = settle([OLD], [LOST if there is None else look("a", there=there)])
    assert [(each.outcome, each.final) for each in found["a"]] == [(SettledAs.UNKNOWN, final)]


def test_the_outcome_of_a_volume_is_unknown_because_the_list_has_none() -> None:
    found = settle([replace(INTENT, container_id="volume:v"), replace(INTENT, container_id=ITEM.id)], [look("a")])
    assert [each.outcome for each in found["a"]] == [SettledAs.UNKNOWN, SettledAs.GONE]


def test_podman_is_known_by_its_host_key_and_its_address_since_it_makes_up_an_id_at_each_call() -> None:
    intent = replace(INTENT, identity=identity_of(HOST, PODMAN))
    again = look("a", engine=replace(PODMAN, id="made up anew"))
    assert [each.outcome for each in settle([intent], [again])["a"]] == [SettledAs.GONE]
    moved = replace(again, host=replace(again.host, engine="unix:///run/other.sock"))
    assert [each.outcome for each in settle([intent], [moved])["a"]] == [SettledAs.UNKNOWN]


def test_each_intent_is_settled_independently_of_those_before_it() -> None:
    items = many(4)
    engines = [replace(ENGINE, id=name) for name in ("away", "lost", "seen")]
    intents = [
        OpenIntent(number, "run", engine.id or "", "", item.id, item.name, 0, identity_of(HOST, engine))
        for number, (engine, item) in enumerate(zip([*engines, engines[2]], items, strict=True))
    ]
    seen = replace(survey("seen", [items[3]]), host=HOST, engine=engines[2])
    found = settle(intents, [replace(LOST, host=Host("lost", "192.0.2.1")), seen])
    assert {name: [(each.intent, each.outcome) for each in settled] for name, settled in found.items()} == {
        "lost": [(intents[1], SettledAs.UNKNOWN)],
        HOST.name: [(intents[2], SettledAs.GONE), (intents[3], SettledAs.STILL_THERE)],
    }


@pytest.mark.parametrize(
    ("found", "concerned"),
    [
        (look("a"), True),
        (look("a", engine=OTHER_KEY), True),
        (LOST, True),
        (look("renamed"), True),
        (look("b", engine=OTHER_KEY), False),
        (look("b", engine=OTHER_ID), False),
        (replace(LOST, host=Host("b", "127.0.0.1")), False),
    ],
)
def test_a_survey_is_kept_that_an_intent_may_be_attributed_to(found: Survey | FailedSurvey, concerned: bool) -> None:
    assert Concern([replace(INTENT, host="other", identity="other"), INTENT]).of(found) is concerned
    assert not Concern([]).of(found)


def test_an_intent_that_names_no_engine_concerns_its_host_alone() -> None:
    assert Concern([OLD]).of(look("a"))
    assert not Concern([OLD]).of(look("renamed"))
