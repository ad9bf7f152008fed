"""When nothing is done, whatever the surveys hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from fleetsweep.errors import FaultKind, Phase
from fleetsweep.model.container import Container
from fleetsweep.model.decision import FleetPlan, GuardName, HostPlan, Reason, Verdict
from fleetsweep.model.host import Host
from fleetsweep.model.survey import FailedSurvey, Fault, Status, Survey
from fleetsweep.policy.guards import Percent, plan_fleet
from fleetsweep.policy.rules import Policy, decide
from fleetsweep.sweep.phases import actionable
from tests.generators.flow import survey_of
from tests.generators.strategies import ANY_POLICY, NOW, Truth, boxes, full_id, honest

FLEET_CAPS: st.SearchStrategy[int | Percent | None] = st.one_of(
    st.none(), st.integers(0, 8), st.floats(0, 100).map(Percent)
)
SKEWS = st.sampled_from([0.0, 0.0, 0.0, 299.9, -300.0, 301.0, -1e9, math.nan, math.inf])
ENGINE_IDS = st.sampled_from([None, None, "engine-1", "engine-2"])

Fleet = tuple[list[Survey | FailedSurvey], dict[str, Policy]]


def lost(name: str) -> FailedSurvey:
    return FailedSurvey(
        Host(name, "127.0.0.1"), Fault(Status.UNREACHABLE, Phase.CONNECT, FaultKind.REFUSED, "nobody listens"), 0.1
    )


def keyed(item: Survey | FailedSurvey, host_key: str) -> Survey | FailedSurvey:
    """A survey behind a host key of its own."""
    return item if isinstance(item, FailedSurvey) else replace(item, engine=replace(item.engine, host_key=host_key))


YOUNG = Container("0" * 64, "ws-young", "postgres:16", "sha256:0", "running", NOW, {})


@st.composite
def fleets(draw: st.DrawFn, shared: bool = True, max_size: int = 4) -> Fleet:
    """Hosts under policies of their own. ``shared`` lets some of them be one engine under several names."""
    surveys: list[Survey | FailedSurvey] = []
    policies = {}
    for number in range(draw(st.integers(1, max_size))):
        name = f"runner-{number}"
        policy = replace(draw(ANY_POLICY), engine_id=draw(ENGINE_IDS))
        policies[name] = policy
        if draw(st.integers(0, 5)) == 0:
            surveys.append(lost(name))
            continue
        first = draw(st.integers(0, 4)) if shared else 1000 * number
        box: list[Truth] = draw(boxes(first, 4))
        seen: Survey | FailedSurvey = survey_of(name, honest(box, policy), draw(SKEWS), draw(ENGINE_IDS))
        surveys.append(seen if shared else keyed(seen, f"key-{number}"))
    return surveys, policies


def work(surveys: Sequence[Survey | FailedSurvey], policies: dict[str, Policy], cap: int | Percent | None) -> set[str]:
    """The containers that would be asked to go, each with its host: what guards leave over."""
    return {
        f"{item.host.name}/{decision.container.id}"
        for item in actionable(plan_fleet(surveys, policies, cap))
        for decision in item.candidates
    }


def plan_of(
    name: str, surveys: Sequence[Survey | FailedSurvey], policies: dict[str, Policy]
) -> HostPlan | FailedSurvey:
    (found,) = (item for item in plan_fleet(surveys, policies).hosts if item.host.name == name)
    return found


@given(fleets(), FLEET_CAPS)
def test_every_host_is_in_the_plan_once_and_in_order(fleet: Fleet, cap: int | Percent | None) -> None:
    surveys, policies = fleet
    plan = plan_fleet(surveys, policies, cap)
    assert [item.host for item in plan.hosts] == [item.host for item in surveys]
    for item, survey in zip(plan.hosts, surveys, strict=True):
        assert isinstance(item, FailedSurvey) == isinstance(survey, FailedSurvey)


@given(fleets(), FLEET_CAPS)
def test_what_is_left_to_do_is_within_every_limit(fleet: Fleet, cap: int | Percent | None) -> None:
    surveys, policies = fleet
    by_name = {survey.host.name: survey for survey in surveys}
    todo = actionable(plan_fleet(surveys, policies, cap))
    for item in todo:
        policy, survey = policies[item.host.name], by_name[item.host.name]
        assert isinstance(survey, Survey)
        assert policy.cap is None or len(item.candidates) <= policy.cap
        assert abs(survey.skew_s) <= policy.max_skew_s
        assert policy.engine_id in {None, survey.engine.id}
    total = sum(len(item.candidates) for item in todo)
    assert not isinstance(cap, int) or total <= cap
    if isinstance(cap, Percent) and total:
        surveyed = sum(len(survey.containers) for survey in surveys if isinstance(survey, Survey))
        assert total <= surveyed * cap.value / 100


@given(fleets())
def test_a_guard_reports_what_it_found_and_what_it_allows(fleet: Fleet) -> None:
    surveys, policies = fleet
    for item in plan_fleet(surveys, policies).hosts:
        if isinstance(item, FailedSurvey) or item.guard is None:
            continue
        policy = policies[item.host.name]
        if item.guard.name is GuardName.CAP:
            assert (item.guard.limit, item.guard.found) == (policy.cap, len(item.candidates))
        elif item.guard.name is GuardName.SKEW:
            assert (item.guard.limit, item.guard.found) == (policy.max_skew_s, item.skew_s)
        else:
            assert item.guard.name is GuardName.IDENTITY
            assert item.guard.limit == policy.engine_id or item.guard.limit is None
            assert item.guard.found in {item.engine.id, *(survey.host.name for survey in surveys)}
        assert str(item.guard.found or "unknown") in item.guard.message or item.guard.name is GuardName.SKEW


@given(fleets(), FLEET_CAPS, st.integers(0, 4), st.integers(0, 8), st.floats(0, 100))
def test_a_lower_cap_never_adds_a_candidate(
    fleet: Fleet, cap: int | Percent | None, host_cap: int, count: int, share: float
) -> None:
    surveys, policies = fleet
    before = work(surveys, policies, cap)
    # A host that its own cap guards no longer counts for the fleet, so the others may go on without it.
    lower = {
        name: replace(policy, cap=host_cap if policy.cap is None else min(host_cap, policy.cap))
        for name, policy in policies.items()
    }
    assert work(surveys, lower, None) <= work(surveys, policies, None)
    less: int | Percent = (
        Percent(min(share, cap.value)) if isinstance(cap, Percent) else count if cap is None else min(count, cap)
    )
    assert work(surveys, policies, less) <= before
    assert work(surveys, policies, 0) == set()


@given(fleets(), st.integers(0, 300))
def test_a_lower_limit_on_skew_never_adds_a_candidate(fleet: Fleet, skew_s: int) -> None:
    surveys, policies = fleet
    stricter = {name: replace(policy, max_skew_s=min(policy.max_skew_s, skew_s)) for name, policy in policies.items()}
    assert work(surveys, stricter, None) <= work(surveys, policies, None)


@given(fleets(), FLEET_CAPS, st.data())
def test_nothing_that_one_box_answers_changes_what_is_planned_judged_or_guarded_on_another(
    fleet: Fleet, cap: int | Percent | None, data: st.DataObject
) -> None:
    """Each box has a host key of its own here; what a liar lists, claims and counts may be anything."""
    surveys, policies = fleet
    apart = [keyed(item, f"key-{number}") for number, item in enumerate(surveys)]
    every = [it for item in apart if isinstance(item, Survey) for it in item.containers]
    claimed = {it.id: it for it in data.draw(st.lists(st.sampled_from(every), max_size=3) if every else st.just([]))}
    lie = survey_of("liar", list(claimed.values()), data.draw(SKEWS), data.draw(ENGINE_IDS))
    place = data.draw(st.integers(0, len(apart)))
    lied = [*apart[:place], keyed(lie, "liar's"), *apart[place:]]
    beside = {**policies, "liar": Policy()}
    for item in apart:
        assert plan_of(item.host.name, lied, beside) == plan_of(item.host.name, apart, policies)
    if plan_fleet(apart, policies, cap).guard is not None and isinstance(cap, Percent):
        assert plan_fleet([*apart, keyed(survey_of("liar", []), "liar's")], beside, cap).guard is not None


def counted(plan: FleetPlan) -> list[HostPlan]:
    """Return the plans that count for the fleet's guard."""
    return [each for each in plan.hosts if isinstance(each, HostPlan) and each.guard is None]


@given(fleets(shared=False), st.floats(0, 100).map(Percent), st.integers(0, 10_000))
def test_a_box_at_most_doubles_what_a_share_allows_the_others(fleet: Fleet, cap: Percent, size: int) -> None:
    surveys, policies = fleet
    long = survey_of("long", [replace(one, id=full_id(10**6 + number)) for number, one in enumerate([YOUNG] * size)])
    plans = counted(plan_fleet(surveys, policies, None))
    found, listed = sum(len(plan.candidates) for plan in plans), sum(plan.containers for plan in plans)
    if found > listed * 2 * cap.value / 100:
        assert plan_fleet([*surveys, keyed(long, "long's")], {**policies, "long": Policy()}, cap).guard is not None


@given(fleets())
def test_a_pin_never_adds_a_candidate_and_a_wrong_one_leaves_none(fleet: Fleet) -> None:
    surveys, policies = fleet
    unpinned = {name: replace(policy, engine_id=None) for name, policy in policies.items()}
    pinned = {name: replace(policy, engine_id="engine-9") for name, policy in policies.items()}
    assert work(surveys, policies, None) <= work(surveys, unpinned, None)
    assert work(surveys, pinned, None) == set()


@given(fleets(), FLEET_CAPS)
def test_a_host_that_is_lost_has_nothing_to_do(fleet: Fleet, cap: int | Percent | None) -> None:
    surveys, policies = fleet
    assert actionable(plan_fleet([lost(survey.host.name) for survey in surveys], policies, cap)) == []


@given(fleets(shared=False), st.data())
def test_one_hosts_answers_cannot_change_anothers_plan(fleet: Fleet, data: st.DataObject) -> None:
    surveys, policies = fleet
    liar = data.draw(st.integers(0, len(surveys) - 1))
    name = surveys[liar].host.name
    others = boxes(900_000, 4)
    instead = data.draw(
        st.one_of(
            st.just(lost(name)),
            st.builds(
                lambda box, skew_s: keyed(survey_of(name, honest(box, Policy()), skew_s), "liar's"), others, SKEWS
            ),
        )
    )
    lied = [*surveys[:liar], instead, *surveys[liar + 1 :]]
    for survey in surveys:
        if survey.host.name != name:
            assert plan_of(survey.host.name, lied, policies) == plan_of(survey.host.name, surveys, policies)


@given(fleets(), st.data())
def test_a_host_that_claims_anothers_containers_can_only_have_it_guarded(fleet: Fleet, data: st.DataObject) -> None:
    surveys, policies = fleet
    every: list[Container] = [it for survey in surveys if isinstance(survey, Survey) for it in survey.containers]
    claimed = {it.id: it for it in data.draw(st.lists(st.sampled_from(every), max_size=3) if every else st.just([]))}
    place = data.draw(st.integers(0, len(surveys)))
    lied = [*surveys[:place], survey_of("liar", list(claimed.values())), *surveys[place:]]
    for survey in surveys:
        alone = plan_of(survey.host.name, surveys, policies)
        beside = plan_of(survey.host.name, lied, {**policies, "liar": Policy()})
        if isinstance(alone, HostPlan) and isinstance(beside, HostPlan) and beside != alone:
            assert replace(beside, guard=None) == replace(alone, guard=None)
            assert beside.guard is not None
            assert beside.guard.name is GuardName.IDENTITY


@given(fleets(shared=False), st.data())
def test_plans_do_not_depend_on_the_order_of_hosts(fleet: Fleet, data: st.DataObject) -> None:
    surveys, policies = fleet
    turned = data.draw(st.permutations(surveys))
    for cap in (None, 3, Percent(50)):
        assert work(turned, policies, cap) == work(surveys, policies, cap)
    for survey in surveys:
        assert plan_of(survey.host.name, turned, policies) == plan_of(survey.host.name, surveys, policies)


@given(fleets(), st.data(), FLEET_CAPS)
def test_no_container_is_ever_asked_to_go_under_two_names(
    fleet: Fleet, data: st.DataObject, cap: int | Percent | None
) -> None:
    surveys, policies = fleet
    # Two Docker ids that differ are two engines, whatever they list: here nobody was asked for one.
    unnamed = [
        it if isinstance(it, FailedSurvey) else replace(it, engine=replace(it.engine, id=None)) for it in surveys
    ]
    todo = work(data.draw(st.permutations(unnamed)), policies, cap)
    ids = [entry.partition("/")[2] for entry in todo]
    assert len(ids) == len(set(ids))


@given(st.permutations(range(4)))
def test_an_engine_under_two_names_is_planned_once_in_any_order(order: list[int]) -> None:
    def leaked(*numbers: int) -> list[Container]:
        return honest([Truth(full_id(number)) for number in numbers], Policy())

    surveys = [
        survey_of("a", leaked(0, 1)),
        survey_of("b", leaked(10, 11)),
        survey_of("a-again", leaked(0)),
        survey_of("c", []),
    ]
    plan = plan_fleet([surveys[index] for index in order], dict.fromkeys(("a", "b", "a-again", "c"), Policy()))
    guarded = [item.host.name for item in plan.hosts if isinstance(item, HostPlan) and item.guard]
    assert len(guarded) == 1
    assert guarded[0].startswith("a")


@given(fleets())
def test_a_plan_holds_each_matched_containers_decision_by_its_own_hosts_policy(fleet: Fleet) -> None:
    surveys, policies = fleet
    for item, survey in zip(plan_fleet(surveys, policies).hosts, surveys, strict=True):
        if isinstance(item, HostPlan) and isinstance(survey, Survey):
            all_of_them = [decide(container, policies[item.host.name], NOW) for container in survey.containers]
            assert item.containers == len(survey.containers)
            assert list(item.decisions) == [
                decided for decided in all_of_them if decided.reason is not Reason.UNMATCHED
            ]
            assert list(item.candidates) == [decided for decided in all_of_them if decided.verdict is Verdict.REMOVE]


@given(st.integers(0, 12), st.integers(0, 12))
@example(3, 2)
@example(1, 0)
def test_one_candidate_more_than_a_cap_is_one_too_many(leaks: int, cap: int) -> None:
    box = honest([Truth(full_id(number)) for number in range(leaks)], Policy())
    surveys = [survey_of("a", box)]
    for policy, fleet_cap in ((Policy(cap=cap), None), (Policy(), cap)):
        assert len(work(surveys, {"a": policy}, fleet_cap)) == (leaks if leaks <= cap else 0)
