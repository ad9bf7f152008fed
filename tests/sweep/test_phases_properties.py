"""Whatever one engine answers, every other host's plan, removals and row are the same as without it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.engine.decode import parse_list
from fleetsweep.errors import HostError
from fleetsweep.model.host import Host
from fleetsweep.model.intent import OpenIntent
from fleetsweep.model.report import HostReport
from fleetsweep.model.survey import FailedSurvey, Survey
from fleetsweep.policy.guards import plan_fleet
from fleetsweep.policy.identity import identity_of
from fleetsweep.policy.reconcile import settle
from fleetsweep.policy.rules import Policy
from fleetsweep.report.json_report import host_object
from fleetsweep.sweep.phases import Applied, actionable, host_reports
from fleetsweep.sweep.workers import as_fault
from tests.generators.engines import Log, MemoryEngine, SignalHandler, Ticks
from tests.generators.flow import Box, remove, survey_of
from tests.generators.strategies import boxes, full_id
from tests.policy.test_guards_properties import SKEWS, keyed

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 20).map(lambda digits: 10**digits),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["", "/ws-1", "running", "sha256:0", full_id(1), "0001-01-01T00:00:00Z"]),
)
JSON = st.recursive(
    ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("Id", "Names", "Image", "ImageID", "Created", "State", "Labels", "HostConfig")


@st.composite
def hostile_lists(draw: st.DrawFn, ids: list[str]) -> object:
    """A container list as a liar may write it: others' ids, its own, and any value in any field."""
    if draw(st.integers(0, 5)) == 0:
        return draw(JSON)
    entries: list[object] = []
    for number in range(draw(st.integers(0, 4))):
        entry: dict[str, object] = {
            "Id": draw(st.sampled_from([*ids, full_id(10**6 + number)])),
            "Names": [f"/ws-{number}"],
            "Image": "molecule-local/x:1",
            "Created": 1_400_000_000,
            "State": "running",
            "Labels": {},
        }
        for key in draw(st.lists(st.sampled_from(KEYS), max_size=2)):
            entry[key] = draw(JSON)
        entries.append(entry)
    return entries


def liar_survey(answer: object, skew_s: float) -> Survey | FailedSurvey:
    """The survey of the liar. Nothing but HostError may be raised."""
    try:
        return keyed(survey_of("liar", parse_list(json.loads(json.dumps(answer))), skew_s), "liar's key")
    except HostError as error:
        return FailedSurvey(Host("liar", "127.0.0.1"), as_fault(error), 0.0)


def rows(
    fleet: list[Box], liar: Survey | FailedSurvey | None, place: int, intents: list[OpenIntent]
) -> Mapping[str, object]:
    """Each honest host's plan, row and settlements after a whole sweep, with the liar at its place or without it."""
    surveys: list[Survey | FailedSurvey] = [
        keyed(survey_of(box.name, box.engine.survey(box.policy), box.skew_s, f"ID-{box.name}"), f"key of {box.name}")
        for box in fleet
    ]
    policies = {box.name: box.policy for box in fleet}
    if liar is not None:
        surveys.insert(place, liar)
        policies["liar"] = Policy()
    plan = plan_fleet(surveys, policies)
    applied = {}
    for item in actionable(plan):
        box = next((each for each in fleet if each.name == item.host.name), None)
        if box is not None:
            removals = remove(item, box.policy, box.engine, Log(), Ticks(), SignalHandler(None))
            # Their order is that of the workers' intents, which threads decide.
            by_id = tuple(sorted(removals, key=lambda removal: removal.container_id))
            applied[box.name] = Applied(by_id, None, 0.0)
    reports: list[HostReport] = list(host_reports(plan, applied, settle(intents, surveys)))
    if liar is not None:
        # Its own row may have any content, but must be printable.
        host_object(reports[place])
    return {
        report.host.name: (report, json.dumps(host_object(report))) for report in reports if report.host.name != "liar"
    }


@given(st.data())
def test_no_response_of_one_engine_changes_another_hosts_row(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 3))
    worlds = [data.draw(boxes(100 * number, 4)) for number in range(count)]
    skews = [data.draw(SKEWS) for _ in range(count)]
    ids = [truth.id for world in worlds for truth in world]
    place = data.draw(st.integers(0, count))
    liar = liar_survey(data.draw(hostile_lists(ids)), data.draw(SKEWS))

    def fleet() -> list[Box]:
        return [
            Box(f"box-{number}", Policy(), MemoryEngine(world), skew_s)
            for number, (world, skew_s) in enumerate(zip(worlds, skews, strict=True))
        ]

    first = keyed(survey_of("box-0", [], 0.0, "ID-box-0"), "key of box-0")
    assert isinstance(first, Survey)
    intents = [
        OpenIntent(number, "earlier", "box-0", "", one, "ws", 0, identity_of(first.host, first.engine))
        for number, one in enumerate([*ids[:2], full_id(10**6)])
    ]
    assert rows(fleet(), liar, place, intents) == rows(fleet(), None, place, intents)
