"""Decisions and plans."""

from __future__ import annotations

from dataclasses import replace

from fleetsweep.model.decision import Finding, Guard, GuardName, Reason, Verdict
from fleetsweep.policy.rules import Policy, decide, findings
from tests.policy.test_rules import NOW, container
from tests.report.build import container as build
from tests.report.build import decision, plan


def test_the_candidates_of_a_plan_are_its_decisions_to_remove_in_order() -> None:
    first, kept, last = decision(build("ws-1")), decision(build("ws-2"), Reason.HELD), decision(build("ws-3"))
    assert plan("a", (first, kept, last)).candidates == (first, last)


def test_a_guard_does_not_hide_the_candidates_that_it_stops() -> None:
    guarded = plan("a", (decision(build("ws-1")),), guard=Guard(GuardName.CAP, "too many"))
    assert len(guarded.candidates) == 1
    assert plan("a").candidates == ()


def test_a_decision_to_keep_has_no_digest_and_one_to_remove_has() -> None:
    assert len(decide(container(), Policy(), NOW).labels_digest) == 64
    assert decide(container(name="x", image="y"), Policy(), NOW).labels_digest == ""


def test_every_reason_of_a_finding_can_be_the_reason_of_a_decision() -> None:
    found = list(findings(container(), Policy(), NOW))
    assert all(isinstance(each, Finding) for each in found)
    assert found[-1].reason is not None
    assert decide(container(), Policy(), NOW).reason in {each.reason for each in found}


def test_words_in_reports_are_unique_and_lower_case() -> None:
    for words in ([*Verdict], [*Reason], [*GuardName]):
        values = [str(word) for word in words]
        assert len(set(values)) == len(values)
        assert all(value == value.lower() and " " not in value for value in values)


def test_a_changed_copy_leaves_the_plan_alone() -> None:
    before = plan("a", (decision(build("ws-1")),))
    assert replace(before, guard=Guard(GuardName.SKEW, "")).guard is not None
    assert before.guard is None
