"""Planning host by host: what is final at once, a host's own history, and a saved plan that is judged again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetsweep.errors import FaultKind
from fleetsweep.model.decision import Guard, GuardName, HostPlan
from fleetsweep.model.survey import FailedSurvey, Fault, Status
from fleetsweep.policy import guards
from fleetsweep.policy.guards import FleetPlanner, guard_fleet, plan_fleet, plan_host
from fleetsweep.policy.rules import Policy
from tests.policy.test_rules import many, survey

LOST = FailedSurvey(survey("lost", []).host, Fault(Status.UNREACHABLE, None, FaultKind.TIMEOUT, ""), 1.0)
QUIET = [0] * 10
"""A history in which no run found anything."""


def guard_of(plan: HostPlan | FailedSurvey) -> Guard | None:
    assert isinstance(plan, HostPlan)
    return plan.guard


def planned(name: str, count: int, first: int = 0) -> HostPlan:
    """Return a saved plan's host, whose guards are not known."""
    return plan_host(survey(name, many(count, first)), Policy())


def test_a_host_is_held_against_its_own_history_where_the_policy_asks_for_it() -> None:
    surveys = [survey("a", many(11)), survey("b", many(11, 11)), survey("new", many(11, 22))]
    policies = dict.fromkeys(("a", "b", "new"), Policy(anomaly=True))
    plan = plan_fleet(surveys, policies, history={"a": QUIET, "b": [11] * 10})
    found = [guard_of(each) for each in plan.hosts]
    assert found[0] is not None
    assert (found[0].name, found[0].found, found[1:]) == (GuardName.ANOMALY, 11, [None, None])
    unasked = plan_fleet(surveys[:1], {"a": Policy()}, history={"a": QUIET})
    assert guard_of(unasked.hosts[0]) is None


def test_a_host_that_was_lost_is_final_at_once() -> None:
    planner = FleetPlanner(2, {"slow": Policy()})
    assert planner.add(1, LOST) == [LOST]
    assert [item.host.name for item in planner.add(0, survey("slow", many(1)))] == ["slow"]
    assert planner.finish(None).hosts[1] is LOST


def test_a_bug_in_a_hosts_guards_is_that_hosts_row_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = guards._host_guard

    def host_guard(plan: HostPlan, *rest: object) -> Guard | None:
        if plan.host.name == "odd":
            raise ZeroDivisionError("planted")
        return judge(plan, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(guards, "_host_guard", host_guard)
    seen = [survey("a", many(1)), replace(survey("odd", many(1, 5)), duration_s=2.5), survey("b", many(1, 9))]
    plan = plan_fleet(seen, dict.fromkeys(("a", "odd", "b"), Policy()))
    assert [guard_of(plan.hosts[number]) for number in (0, 2)] == [None, None]
    lost = plan.hosts[1]
    assert isinstance(lost, FailedSurvey)
    assert (lost.host, lost.duration_s, lost.fault.message) == (seen[1].host, 2.5, "ZeroDivisionError: planted")


def test_a_saved_plan_is_held_against_todays_policy_of_each_host() -> None:
    first, second = planned("a", 3), planned("b", 3, 3)
    plan = guard_fleet([first, second, LOST], {"a": Policy(cap=2), "b": Policy(cap=3)}, None)
    assert plan.hosts[0] == replace(
        first,
        guard=Guard(GuardName.CAP, "3 candidates are more than the cap of 2: nothing is removed here", 2, 3),
    )
    assert plan.hosts[1:] == (second, LOST)
    assert plan.guard is None


def test_a_guard_of_a_saved_plan_stays_whatever_todays_policy_allows() -> None:
    tripped = Guard(GuardName.CAP, "too many then", 1, 3)
    saved = replace(planned("a", 3), guard=tripped)
    (found,) = guard_fleet([saved], {}, None).hosts
    assert found is saved


def test_a_saved_plan_is_held_against_the_hosts_own_history() -> None:
    saved = [planned("a", 11), planned("b", 11, 11), planned("new", 11, 22)]
    policies = dict.fromkeys(("a", "b", "new"), Policy(anomaly=True))
    found = guard_fleet(saved, policies, None, {"a": [11] * 10, "b": QUIET}).hosts
    names = [guard.name if (guard := guard_of(each)) else None for each in found]
    assert names == [None, GuardName.ANOMALY, None]


@pytest.mark.parametrize(("cap", "guarded"), [(5, True), (6, False)])
def test_a_saved_plan_is_held_against_todays_fleet_cap(cap: int, guarded: bool) -> None:
    plan = guard_fleet([planned("a", 3), planned("b", 3, 3)], dict.fromkeys(("a", "b"), Policy()), cap)
    assert (plan.guard is not None) == guarded
    assert [guard_of(each) for each in plan.hosts] == [None, None]
