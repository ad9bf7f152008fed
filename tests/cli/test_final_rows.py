"""A row is handed on as soon as no later step can change it, in whatever order surveys end, and never before."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.cli.final_rows import FinalRows, SurveyTaker
from fleetsweep.errors import FaultKind
from fleetsweep.model.host import Host
from fleetsweep.model.intent import OpenIntent
from fleetsweep.model.report import HostReport
from fleetsweep.model.survey import Engine, FailedSurvey, Fault, Status, Survey
from fleetsweep.policy.guards import FleetPlanner, plan_fleet
from fleetsweep.policy.identity import identity_of
from fleetsweep.policy.reconcile import Concern, settle
from fleetsweep.policy.rules import Policy
from fleetsweep.sweep.phases import Applied, actionable, host_reports
from tests.policy.test_rules import container, many, survey

OTHERS = [container(id=f"{number:064x}", name=f"service-{number}") for number in range(50, 54)]
POOL = [*many(4), *OTHERS]
KEYS = ("key 1", "key 2", None)


@st.composite
def fleets(draw: st.DrawFn) -> list[Survey | FailedSurvey]:
    """Surveys of a few hosts, some of which failed and some of which may be one engine."""
    found: list[Survey | FailedSurvey] = []
    for number in range(draw(st.integers(1, 5))):
        host = Host(f"host-{number}", f"192.0.2.{number}")
        if draw(st.integers(0, 3)) == 0:
            found.append(FailedSurvey(host, Fault(Status.UNREACHABLE, None, FaultKind.TIMEOUT, ""), 1.0))
            continue
        listed = draw(st.lists(st.sampled_from(POOL), max_size=3, unique_by=lambda each: each.id))
        engine_id, key = draw(st.sampled_from(("A", "B", None))), draw(st.sampled_from(KEYS))
        engine = Engine("docker", "", "1.41", "local", engine_id, key)
        skew_s = draw(st.sampled_from((0.0, 900.0)))
        found.append(replace(survey(host.name, listed, skew_s), host=host, engine=engine))
    return found


@st.composite
def intents(draw: st.DrawFn, surveys: list[Survey | FailedSurvey]) -> list[OpenIntent]:
    """Intents that earlier runs left open on some of these hosts, or on engines that have another name now."""
    found = []
    for number in range(draw(st.integers(0, 2))):
        of = draw(st.sampled_from(surveys))
        identity = identity_of(of.host, of.engine) if isinstance(of, Survey) else ""
        name = draw(st.sampled_from([each.host.name for each in surveys] + ["gone"]))
        found.append(OpenIntent(number, "old", name, "", draw(st.sampled_from(POOL)).id, "ws", 0, identity))
    return found


@given(st.data(), st.booleans())
def test_a_row_that_is_handed_on_is_the_one_of_the_report(data: st.DataObject, removes: bool) -> None:
    surveys = data.draw(fleets())
    opened = data.draw(intents(surveys))
    policies = {each.host.name: Policy(cap=2) for each in surveys}
    handed: list[HostReport] = []
    final = FinalRows(removes, lambda row: row, [handed.append])
    planner = FleetPlanner(len(surveys), policies)
    take = SurveyTaker(planner, Concern(opened), final)
    for position in data.draw(st.permutations(range(len(surveys)))):
        take(position, surveys[position])
    plan, settled = planner.finish(1), settle(opened, take.kept)
    final.all_planned(plan, settled)
    assert plan == plan_fleet(surveys, policies, 1)
    assert settled == settle(opened, surveys)
    report = {row.host.name: row for row in host_reports(plan, {}, settled)}
    waiting = {item.host.name for item in actionable(replace(plan, guard=None))} if removes else set()
    assert {row.host.name: row for row in handed} == {name: report[name] for name in report if name not in waiting}
    assert len(handed) == len(final.rows)


def test_a_host_waits_for_those_before_it_only_where_they_may_be_the_same_engine() -> None:
    surveys = [survey("slow", many(1)), survey("empty", []), survey("full", many(1, 9)), survey("last", many(1))]
    policies = {each.host.name: Policy() for each in surveys}
    names: list[str] = []
    final = FinalRows(False, lambda row: row, [lambda row: names.append(row.host.name)])
    take = SurveyTaker(FleetPlanner(4, policies), None, final)
    for position in (2, 1, 3):
        take(position, surveys[position])
    assert names == ["empty"]
    take(0, surveys[0])
    assert names == ["empty", "slow", "full", "last"]
    assert final.rows["last"].guarded_by is not None


def test_what_was_done_on_a_host_makes_its_row_final() -> None:
    (item,) = actionable(plan_fleet([survey("a", many(1))], {"a": Policy()}))
    handed: list[HostReport] = []
    final = FinalRows(True, lambda row: replace(row, duration_s=7.0), [handed.append])
    final.planned(item, {})
    assert handed == []
    final.applied(item, Applied((), None, 1.0), {})
    assert [(row.status, row.duration_s) for row in handed] == [(Status.INTERRUPTED, 7.0)]


def test_a_bug_in_what_takes_a_row_is_logged_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def bug(_: HostReport) -> None:
        raise ZeroDivisionError

    final = FinalRows(False, lambda row: row, [bug])
    final.all_planned(plan_fleet([survey("a", []), survey("b", [])], {"a": Policy(), "b": Policy()}), {})
    assert [*final.rows] == ["a", "b"]
    assert "a bug in the row of b" in caplog.text
