"""Who answered, and which hosts are one engine: case by case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from fleetsweep.errors import FaultKind
from fleetsweep.model.decision import GuardName, HostPlan
from fleetsweep.model.host import Connection, Host
from fleetsweep.model.intent import OpenIntent
from fleetsweep.model.run_scope import Baseline, RunScope
from fleetsweep.model.survey import Engine, FailedSurvey, Fault, Status, Survey
from fleetsweep.policy.guards import engine_guard, plan_fleet
from fleetsweep.policy.identity import Listed, Twins, identity_of, other_engine, to_identify
from fleetsweep.policy.rules import Policy
from tests.policy.test_rules import NOW, many, survey

HOST = Host("a", "192.0.2.1")
KEY = "ssh-ed25519 SHA256:a"
ENGINE = Engine("docker", "Docker/20", "1.41", "streamlocal", "ID-A", KEY)
SECOND = 10**9


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"server": "Docker/28"}, True),
        ({"api": "1.44"}, True),
        ({"via": "dial-stdio"}, True),
        ({"id": "ID-B"}, False),
        ({"id": None}, False),
        ({"host_key": "ssh-ed25519 SHA256:b"}, False),
        ({"host_key": None}, False),
        ({"kind": "podman"}, False),
    ],
)
def test_an_engine_is_known_by_its_kind_its_id_and_the_host_key_and_by_nothing_else(
    change: dict[str, str | None], same: bool
) -> None:
    found = replace(ENGINE, **change)  # type: ignore[arg-type]
    assert (identity_of(HOST, found) == identity_of(HOST, ENGINE)) is same
    guard = other_engine(HOST, identity_of(HOST, ENGINE), found, "the plan")
    assert (guard is None) is same
    if guard is not None:
        assert (guard.name, guard.limit, guard.found) == (
            GuardName.IDENTITY,
            identity_of(HOST, ENGINE),
            identity_of(HOST, found),
        )
        assert guard.message.startswith(
            "another engine responds than the plan was made from: nothing is removed here. "
        )
        assert f"Expected {guard.limit}, found {guard.found}" in guard.message


def test_what_names_an_engine_can_be_read() -> None:
    assert identity_of(HOST, ENGINE) == f"docker ID-A at unix:///var/run/docker.sock, {KEY}"
    podman = Engine("podman", "Libpod/5", "1.41", "local", "made up")
    assert identity_of(HOST, podman) == "podman (no id) at unix:///var/run/docker.sock, this machine"
    assert identity_of(replace(HOST, engine="unix:///x"), podman) != identity_of(HOST, podman)
    assert identity_of(Host("b", "192.0.2.2"), podman) == identity_of(HOST, podman)


def test_the_engine_that_is_reached_again_is_held_against_the_pin_and_the_plan() -> None:
    other = replace(ENGINE, id="ID-B")
    assert engine_guard(HOST, ENGINE, ENGINE, Policy()) is None
    assert engine_guard(HOST, ENGINE, ENGINE, Policy(engine_id="ID-A")) is None
    pinned = engine_guard(HOST, other, other, Policy(engine_id="ID-A"))
    assert pinned is not None
    assert "the inventory pins ID-A" in pinned.message
    planned = engine_guard(HOST, ENGINE, other, Policy(engine_id="ID-B"))
    assert planned is not None
    assert "than the plan was made from" in planned.message


# Hosts that are one engine


LOST = FailedSurvey(Host("lost", "x"), Fault(Status.UNREACHABLE, None, FaultKind.TIMEOUT, ""), 1.0)


def twins(surveys: Sequence[Survey | FailedSurvey]) -> dict[int, str]:
    """The positions of the surveys that have an earlier twin, and that one's name."""
    known = Twins()
    found = {at: known.add(Listed(each)) for at, each in enumerate(surveys) if isinstance(each, Survey)}
    return {at: name for at, name in found.items() if name is not None}


@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        ({}, {}, True),
        ({"id": None}, {}, True),
        ({"id": None}, {"id": None}, True),
        ({}, {"id": "ID-B"}, False),
        ({}, {"host_key": "ssh-rsa SHA256:c"}, False),
        ({"host_key": None}, {"host_key": None}, True),
        ({"kind": "podman", "id": "1"}, {"kind": "podman", "id": "2"}, True),
    ],
)
def test_hosts_are_one_engine_where_one_host_key_shows_the_same_containers(
    first: dict[str, str | None], second: dict[str, str | None], one: bool
) -> None:
    surveys: list[Survey | FailedSurvey] = [
        LOST,
        replace(survey("a", many(2)), engine=replace(ENGINE, **first)),  # type: ignore[arg-type]
        replace(survey("other", many(2, 10)), engine=ENGINE),
        replace(survey("b", many(2, 1)), engine=replace(ENGINE, **second)),  # type: ignore[arg-type]
    ]
    assert twins(surveys) == ({3: "a"} if one else {})


def test_all_but_the_first_name_the_host_whose_engine_they_show() -> None:
    surveys = [replace(survey(name, many(1)), engine=ENGINE) for name in ("a", "b", "c")]
    assert twins(surveys) == {1: "a", 2: "a"}
    assert twins([replace(survey(name, []), engine=ENGINE) for name in ("a", "b")]) == {}


# Which engines must be asked for their ids


def test_only_those_are_asked_that_an_intent_or_a_neighbour_on_this_machine_concerns() -> None:
    named, placed, neither = (Host(name, f"192.0.2.{number}") for number, name in enumerate(("n", "p", "x")))
    here = Host("here", "localhost", connection=Connection.LOCAL)
    intents = [
        OpenIntent(1, "run", "n", "elsewhere", "id", "ws", 0),
        OpenIntent(2, "run", "gone", placed.endpoint, "id", "ws", 0),
    ]
    hosts = [named, placed, neither, here]
    assert to_identify(hosts, intents) == {named, placed}
    assert to_identify(hosts, []) == set()
    also = Host("also", "localhost", connection=Connection.LOCAL, engine="unix:///other")
    assert to_identify([*hosts, also], []) == {here, also}


# A baseline's engine and its time


@pytest.mark.parametrize(
    ("age_s", "guard"),
    [(0, None), (86_400, None), (86_401, GuardName.SKEW), (-300, None), (-301, GuardName.SKEW)],
)
def test_a_baseline_is_of_this_day_by_its_engines_clock(age_s: int, guard: GuardName | None) -> None:
    baseline = Baseline(identity_of(HOST, ENGINE), NOW - age_s * SECOND, ())
    seen = replace(survey("a", []), host=HOST, engine=ENGINE)
    (plan,) = plan_fleet([seen], {"a": Policy(run=RunScope(None, baseline))}).hosts
    assert isinstance(plan, HostPlan)
    assert (plan.guard and plan.guard.name) == guard
    if plan.guard is not None:
        assert (plan.guard.limit, plan.guard.found) == (86_400, age_s)
        when = "5 min 1 s in the future" if age_s < 0 else "1 d 1 s ago, more than a day"
        assert plan.guard.message == f"the baseline was taken {when}, by this engine's clock: nothing is removed here"


def test_a_baseline_of_another_engine_guards_its_host() -> None:
    baseline = Baseline(identity_of(HOST, ENGINE), NOW, ())
    seen = replace(survey("a", []), host=HOST, engine=replace(ENGINE, id="ID-B"))
    (plan,) = plan_fleet([seen], {"a": Policy(run=RunScope(None, baseline))}).hosts
    assert isinstance(plan, HostPlan)
    assert plan.guard is not None
    assert "than the baseline was made from" in plan.guard.message
