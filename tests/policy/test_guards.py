"""The guards, case by case: what they count, what they report, and what they leave alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetsweep.model.decision import FleetPlan, Guard, GuardName, HostPlan
from fleetsweep.model.run_scope import Resource, ResourceKind, RunScope
from fleetsweep.model.survey import FailedSurvey, Survey
from fleetsweep.policy import guards
from fleetsweep.policy.guards import Percent, expect_guard, plan_fleet
from fleetsweep.policy.rules import Policy
from tests.policy.test_rules import NOW, many, survey

RUN = RunScope(("run", "7"))
MINE = {"run": "7"}


def host(plan: FleetPlan, name: str) -> HostPlan:
    (found,) = (item for item in plan.hosts if item.host.name == name)
    assert isinstance(found, HostPlan)
    return found


def guard_on(seen: Survey, policy: Policy) -> Guard | None:
    return host(plan_fleet([seen], {seen.host.name: policy}), seen.host.name).guard


def volume(name: str, labels: dict[str, str]) -> Resource:
    return Resource(ResourceKind.VOLUME, name, name, "", labels)


def test_a_plan_has_what_its_survey_saw_of_the_engine() -> None:
    seen = replace(survey("a", many(2), 4.5), duration_s=1.25)
    plan = host(plan_fleet([seen], {"a": Policy()}), "a")
    assert (plan.engine, plan.now_ns, plan.skew_s, plan.duration_s, plan.containers) == (seen.engine, NOW, 4.5, 1.25, 2)


# The cap of a host


def test_the_cap_reports_how_many_candidates_there_are_and_how_many_there_may_be() -> None:
    assert guard_on(survey("a", many(3)), Policy(cap=2)) == Guard(
        GuardName.CAP, "3 candidates are more than the cap of 2: nothing is removed here", limit=2, found=3
    )


@pytest.mark.parametrize(("cap", "guarded"), [(4, False), (3, True)])
def test_a_runs_volumes_count_as_its_containers_do(cap: int, guarded: bool) -> None:
    items = [replace(item, labels=MINE) for item in many(2)]
    kept = volume("y", {**MINE, "fleetsweep.keep": "until:2100-01-01"})
    seen = replace(survey("a", items), resources=(volume("v", MINE), volume("w", MINE), volume("x", {}), kept))
    plan = host(plan_fleet([seen], {"a": Policy(run=RUN, cap=cap)}), "a")
    assert [found.name for found in plan.resources] == ["v", "w"]
    assert (plan.guard is not None, plan.guard and plan.guard.found) == (guarded, (guarded and 4) or None)


# Who the engine is, and its clock


@pytest.mark.parametrize(
    ("pin", "found", "message"),
    [
        (None, None, None),
        (None, "B", None),
        ("A", "A", None),
        ("A", "B", "the engine's id is B, the inventory pins A"),
        ("A", None, "the engine's id is unknown, the inventory pins A"),
    ],
)
def test_an_engine_is_the_one_that_is_pinned_or_nothing_is_removed(
    pin: str | None, found: str | None, message: str | None
) -> None:
    seen = survey("a", many(1))
    guard = guard_on(replace(seen, engine=replace(seen.engine, id=found)), Policy(engine_id=pin))
    assert guard == (Guard(GuardName.IDENTITY, message, limit=pin, found=found) if message else None)


@pytest.mark.parametrize(
    ("skew_s", "where"),
    [
        (300.0, None),
        (-300.0, None),
        (301.0, "5 min 1 s ahead"),
        (-301.0, "5 min 1 s behind"),
        (300.5, "5 min 1 s ahead"),
        (301.5, "5 min 1 s ahead"),
    ],
)
def test_a_clock_may_be_as_far_off_as_the_limit_and_no_further(skew_s: float, where: str | None) -> None:
    guard = guard_on(survey("a", many(1), skew_s), Policy())
    message = f"the engine's clock is {where}, more than 5 min"
    assert guard == (Guard(GuardName.SKEW, message, limit=300, found=skew_s) if where else None)


@pytest.mark.parametrize("skew_s", [0.4, 0.0, -0.4])
def test_a_limit_of_nothing_lets_only_a_clock_pass_that_is_right(skew_s: float) -> None:
    guard = guard_on(survey("a", many(1), skew_s), Policy(max_skew_s=0))
    assert (guard is None) == (skew_s == 0)


# The fleet's cap


@pytest.mark.parametrize(
    ("cap", "limit", "spelled"),
    [(3, 3, "3"), (0, 0, "0"), (Percent(99), "99%", "99%"), (Percent(12.5), "12.5%", "12.5%")],
)
def test_the_fleet_cap_reports_what_it_counted_and_what_it_allows(
    cap: int | Percent, limit: int | str, spelled: str
) -> None:
    plan = plan_fleet([survey("a", many(2)), survey("b", many(2, 2))], {"a": Policy(), "b": Policy()}, cap)
    message = f"4 candidates in 4 containers are more than the fleet cap of {limit}: nothing is removed anywhere"
    assert plan.guard == Guard(GuardName.FLEET_CAP, message, limit=limit, found=4)


@pytest.mark.parametrize("cap", [1, Percent(50)])
@pytest.mark.parametrize(
    "policy",
    [Policy(cap=1), Policy(max_skew_s=0), Policy(engine_id="another")],
    ids=["over its cap", "clock off", "not the pinned engine"],
)
def test_a_guarded_host_neither_trips_the_fleet_cap_nor_stretches_it(policy: Policy, cap: int | Percent) -> None:
    young = [replace(item, created_ns=NOW, started_ns=NOW) for item in many(200, 10)]
    fleet = [survey("guarded", [*many(2), *young], 1.0), survey("fine", many(1, 2))]
    policies = {"guarded": policy, "fine": Policy()}
    alone = plan_fleet([fleet[1]], policies, cap).guard
    plan = plan_fleet(fleet, policies, cap)
    assert host(plan, "guarded").guard is not None
    assert plan.guard == alone


def test_a_box_with_a_long_list_stretches_no_share_for_the_others() -> None:
    young = [replace(item, created_ns=NOW, started_ns=NOW) for item in many(200, 10)]
    fleet = [survey("honest", [*many(9), *young[:1]]), survey("long", young[1:])]
    policies = dict.fromkeys(("honest", "long"), Policy())
    guard = plan_fleet(fleet, policies, Percent(20)).guard
    assert guard is not None
    assert (guard.found, guard.limit) == (9, "20%")
    assert "counts for no more than all the others together" in guard.message
    assert plan_fleet(fleet, policies, Percent(45)).guard is None
    # Its own leaks may be a small share of its own containers.
    own = [survey("big", [*many(9), *young]), survey("small", many(1, 20)[:0])]
    assert plan_fleet(own, dict.fromkeys(("big", "small"), Policy()), Percent(20)).guard is None


def test_volumes_and_networks_count_for_the_fleet_as_they_do_for_the_host() -> None:
    seen = replace(survey("a", []), resources=tuple(volume(f"v{number}", MINE) for number in range(20)))
    guard = plan_fleet([seen], {"a": Policy(run=RUN)}, 5).guard
    assert guard is not None
    assert (guard.name, guard.found, guard.limit) == (GuardName.FLEET_CAP, 20, 5)
    assert plan_fleet([seen], {"a": Policy(run=RUN)}, 20).guard is None


def test_an_engine_under_two_names_counts_once_for_the_fleet() -> None:
    fleet = [survey("a", many(2)), survey("a-again", many(2)), survey("b", many(1, 2))]
    policies = dict.fromkeys(("a", "a-again", "b"), Policy())
    plan = plan_fleet(fleet, policies, 3)
    assert plan.guard is None
    assert host(plan, "a-again").guard == Guard(GuardName.IDENTITY, "this is the same engine as a", found="a")
    assert plan_fleet(fleet, policies, 2).guard is not None


# The number of hosts


@pytest.mark.parametrize(
    ("count", "expected", "message"),
    [
        (3, None, None),
        (3, (3, 3), None),
        (3, (1, 3), None),
        (3, (3, 5), None),
        (3, (4, 4), "3 hosts are selected (a, b, c), 4 were expected: no host was contacted"),
        (2, (3, 5), "2 hosts are selected (a, b, c), 3..5 were expected: no host was contacted"),
        (2, (1, 1), "2 hosts are selected (a, b, c), 1 was expected: no host was contacted"),
        (1, (2, 2), "1 host is selected (a, b, c), 2 were expected: no host was contacted"),
    ],
)
def test_an_unexpected_number_of_hosts_is_reported_with_their_names(
    count: int, expected: tuple[int, int] | None, message: str | None
) -> None:
    guard = expect_guard(count, expected, "a, b, c")
    assert (guard and guard.message) == message
    if guard is not None:
        assert (guard.name, guard.found) == (GuardName.EXPECT, count)
        assert isinstance(guard.limit, str)
        assert f"{guard.limit} w" in guard.message
    assert "(" not in (unnamed.message if (unnamed := expect_guard(count, expected)) else "")


# A bug in judging one host


def test_a_bug_in_judging_one_host_is_that_hosts_row_and_no_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    judge = guards.plan_host

    def plan_host(seen: Survey, policy: Policy) -> HostPlan:
        if seen.host.name == "odd":
            raise ZeroDivisionError("planted")
        return judge(seen, policy)

    monkeypatch.setattr(guards, "plan_host", plan_host)
    seen = [survey("a", many(1)), replace(survey("odd", many(1, 5)), duration_s=2.5), survey("b", many(1, 9))]
    plan = plan_fleet(seen, dict.fromkeys(("a", "odd", "b"), Policy()))
    assert [len(host(plan, name).candidates) for name in ("a", "b")] == [1, 1]
    (lost,) = (item for item in plan.hosts if isinstance(item, FailedSurvey))
    assert (lost.host, lost.duration_s) == (seen[1].host, 2.5)
    assert (lost.fault.kind, lost.fault.bug, lost.fault.message) == ("bug", True, "ZeroDivisionError: planted")
    assert "a bug while judging odd" in caplog.text
    assert "ZeroDivisionError" in caplog.text
