"""Nothing that stays ever loses what it lives on, and one container's trouble is no other's."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.model.container import Container
from fleetsweep.model.decision import HostPlan, Reason, Verdict
from fleetsweep.policy.explain import explain_container
from fleetsweep.policy.guards import plan_host
from fleetsweep.policy.rules import Policy, decide, may_match
from tests.generators.flow import survey_of
from tests.generators.strategies import ANY_POLICY, KEEP, NOW, Truth, boxes, honest


@st.composite
def shared_boxes(draw: st.DrawFn) -> list[Truth]:
    """Boxes whose containers share each other's namespaces, in cycles too, and those of containers that are gone."""
    box = draw(boxes(max_size=6))
    ids = [truth.id for truth in box] + ["f" * 64]
    owners = st.lists(st.sampled_from(ids), max_size=2, unique=True).map(tuple)
    return [replace(truth, lives_on=draw(owners)) for truth in box]


def planned(box: list[Truth], policy: Policy) -> tuple[list[Container], HostPlan]:
    containers = honest(box, policy, at_all=True)
    return containers, plan_host(survey_of("a", containers), policy)


def going(plan: HostPlan) -> set[str]:
    return {decision.container.id for decision in plan.candidates}


@given(shared_boxes(), ANY_POLICY)
def test_no_candidate_is_ever_needed_by_a_container_that_stays(box: list[Truth], policy: Policy) -> None:
    containers, plan = planned(box, policy)
    gone = going(plan)
    for container in containers:
        if container.id not in gone:
            assert not gone & set(container.lives_on)


@given(shared_boxes(), ANY_POLICY)
def test_only_owners_of_kept_dependents_are_kept_and_name_them(box: list[Truth], policy: Policy) -> None:
    containers, plan = planned(box, policy)
    alone = {each.id for each in containers if decide(each, policy, NOW).verdict is Verdict.REMOVE}
    spared = {decision.container.id: decision for decision in plan.decisions if decision.reason is Reason.IN_USE}
    assert going(plan) | spared.keys() == alone
    assert not going(plan) & spared.keys()
    staying = [each for each in containers if each.id not in going(plan)]
    for container_id, decision in spared.items():
        users = [each for each in staying if container_id in each.lives_on]
        assert any(decision.detail.startswith(each.name) for each in users)


@given(shared_boxes(), ANY_POLICY, st.data())
def test_a_protection_more_never_adds_a_candidate(box: list[Truth], policy: Policy, data: st.DataObject) -> None:
    policy = replace(policy, keep_label=KEEP)
    _, before = planned(box, policy)
    safe = data.draw(st.sets(st.sampled_from([truth.id for truth in box]))) if box else set()
    kept = [replace(t, labels={**t.labels, KEEP: "yes"}) if t.id in safe else t for t in box]
    _, after = planned(kept, policy)
    assert going(after) <= going(before) - safe
    _, held = planned(box, replace(policy, held=dict.fromkeys(safe, "held")))
    assert going(held) <= going(before) - safe


@given(shared_boxes(), ANY_POLICY, st.data())
def test_sharing_more_never_adds_a_candidate(box: list[Truth], policy: Policy, data: st.DataObject) -> None:
    _, after = planned(box, policy)
    fewer = [replace(truth, lives_on=truth.lives_on[: data.draw(st.integers(0, 2))]) for truth in box]
    _, before = planned(fewer, policy)
    assert going(after) <= going(before)


@given(shared_boxes(), ANY_POLICY, st.data())
def test_the_containers_kept_do_not_depend_on_the_order(box: list[Truth], policy: Policy, data: st.DataObject) -> None:
    _, straight = planned(box, policy)
    _, turned = planned(data.draw(st.permutations(box)), policy)
    assert {d.container.id: d for d in turned.decisions} == {d.container.id: d for d in straight.decisions}


@given(boxes(max_size=6), ANY_POLICY, st.data())
def test_trouble_with_one_container_keeps_that_one_and_changes_no_other(
    box: list[Truth], policy: Policy, data: st.DataObject
) -> None:
    containers, plan = planned(box, policy)
    hit = data.draw(st.sets(st.sampled_from([truth.id for truth in box]))) if box else set()
    bad = [replace(each, trouble="HTTP 500: busy") if each.id in hit else each for each in containers]
    after = plan_host(survey_of("a", bad), policy)
    assert going(after) == going(plan) - hit
    decided = {decision.container.id: decision for decision in after.decisions}
    for decision in plan.decisions:
        if decision.container.id not in hit:
            assert decided[decision.container.id] == decision
    for container in bad:
        reason = decided[container.id].reason if container.id in decided else Reason.UNMATCHED
        if container.id in hit and reason in {Reason.UNREADABLE, Reason.UNMATCHED}:
            assert (reason is Reason.UNREADABLE) == may_match(container, policy)


@given(shared_boxes(), ANY_POLICY)
def test_an_explanation_is_the_plans_own_verdict(box: list[Truth], policy: Policy) -> None:
    _, plan = planned(box, policy)
    for decision in plan.decisions:
        decided = explain_container(decision.container, plan, policy, None)
        assert decided.decision == decision
        assert next(found.reason for found in decided.findings if found.reason) is decision.reason
