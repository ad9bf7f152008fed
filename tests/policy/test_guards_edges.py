"""The edges of the guards: who is counted, where a limit begins, and the exact words."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from fleetsweep.errors import FaultKind
from fleetsweep.model.container import SECOND
from fleetsweep.model.decision import Guard, GuardName, HostPlan, Reason
from fleetsweep.model.host import Host
from fleetsweep.model.run_scope import Baseline, RunScope
from fleetsweep.model.survey import FailedSurvey, Fault, Status, Survey
from fleetsweep.model.timed_regex import Matcher
from fleetsweep.policy import guards
from fleetsweep.policy.dependents import keep_in_use
from fleetsweep.policy.guards import Percent, expect_guard, plan_fleet
from fleetsweep.policy.identity import identity_of
from fleetsweep.policy.rules import Policy, decide, findings
from tests.policy.test_rules import NOW, many, survey


def guard_of(seen: Survey, policy: Policy) -> Guard | None:
    (plan,) = plan_fleet([seen], {seen.host.name: policy}).hosts
    assert isinstance(plan, HostPlan)
    return plan.guard


def test_a_number_of_hosts_is_reported_without_names_where_none_are_given() -> None:
    guard = expect_guard(2, (1, 1))
    assert guard is not None
    assert guard.message.startswith("2 hosts are selected, ")


def test_a_host_that_could_not_be_looked_at_is_not_judged(caplog: pytest.LogCaptureFixture) -> None:
    lost = FailedSurvey(Host("a", "127.0.0.1"), Fault(Status.UNREACHABLE, None, FaultKind.REFUSED, "no route"), 0.5)
    with caplog.at_level(logging.ERROR):
        assert plan_fleet([lost], {"a": Policy()}).hosts == (lost,)
    assert caplog.records == []


def test_a_bug_in_judging_a_host_is_logged_with_its_name(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(seen: Survey, policy: Policy) -> HostPlan:
        raise ZeroDivisionError

    monkeypatch.setattr(guards, "plan_host", broken)
    with caplog.at_level(logging.ERROR):
        plan_fleet([survey("a", many(1))], {"a": Policy()})
    assert [record.getMessage() for record in caplog.records] == ["a bug while judging a"]


@pytest.mark.parametrize(
    ("skew_s", "where"),
    [(0.75, "1 s ahead"), (1.0, "1 s ahead"), (-0.75, "1 s behind"), (float("nan"), "nan s behind")],
)
def test_a_clock_is_ahead_from_the_first_moment_on(skew_s: float, where: str) -> None:
    guard = guard_of(survey("a", many(1), skew_s), Policy(max_skew_s=0))
    assert guard is not None
    assert guard.message == f"the engine's clock is {where}, more than 0 s"


def test_a_host_alone_is_held_against_its_own_share() -> None:
    # One host is no majority of others: its 2 of 10 are a fifth.
    items = [*many(2), *(replace(item, name="db", image="postgres") for item in many(8, 2))]
    assert plan_fleet([survey("a", items)], {"a": Policy()}, Percent(20)).guard is None


def test_the_share_of_the_other_hosts_is_explained() -> None:
    others = [replace(item, name="db", image="postgres") for item in many(90, 10)]
    plan = plan_fleet([survey("a", many(10)), survey("b", others)], {"a": Policy(), "b": Policy()}, Percent(40))
    assert plan.guard is not None
    assert plan.guard.message == (
        "10 candidates in 10 containers are more than the fleet cap of 40%"
        " (the host with the most containers counts for no more than all the others together):"
        " nothing is removed anywhere"
    )


@pytest.mark.parametrize(
    ("age_s", "when"), [(-301, "5 min 1 s in the future"), (86_401, "1 d 1 s ago, more than a day")]
)
def test_a_baseline_is_of_the_future_or_too_old(age_s: int, when: str) -> None:
    seen = survey("a", many(1))
    baseline = Baseline(identity_of(seen.host, seen.engine), NOW - age_s * SECOND, ())
    guard = guard_of(seen, Policy(run=RunScope(None, baseline)))
    assert guard is not None
    assert guard.name is GuardName.SKEW
    assert guard.message == f"the baseline was taken {when}, by this engine's clock: nothing is removed here"


def test_a_baseline_is_not_too_old_within_the_last_second_of_its_day() -> None:
    seen = survey("a", many(1))
    baseline = Baseline(identity_of(seen.host, seen.engine), NOW - 86_400 * SECOND - SECOND // 2, ())
    assert guard_of(seen, Policy(run=RunScope(None, baseline))) is None


def test_each_of_several_owners_is_kept_once() -> None:
    first, second, third, user = many(4)
    stranger = "f" * 64
    stays = replace(user, labels={"fleetsweep.keep": "1"}, lives_on=(stranger, first.id, second.id))
    second = replace(second, lives_on=(third.id,))
    also = replace(stays, id="e" * 64, name="ws-also", lives_on=(first.id,))

    def judge(container: object, in_use: str = "") -> object:
        return decide(container, Policy(), NOW, in_use)  # type: ignore[arg-type]

    decisions = [decide(each, Policy(), NOW) for each in (first, second, third, stays, also)]
    spared = keep_in_use(decisions, judge)  # type: ignore[arg-type]
    assert [decision.reason for decision in spared] == [Reason.IN_USE] * 3 + [Reason.PROTECTED] * 2
    assert ", 1 more do" in spared[0].detail
    assert "more do" not in spared[1].detail + spared[2].detail


def test_a_run_keeps_what_another_container_uses_and_what_could_not_be_named() -> None:
    (item,) = many(1)
    label = RunScope(("run", "7"))
    mine = replace(item, labels={"run": "7"})
    assert decide(mine, Policy(run=label), NOW, "ws-2 lives in it").detail == "ws-2 lives in it"
    found = {finding.rule: finding for finding in findings(mine, Policy(run=label), NOW)}
    assert found["reading"].saw == f"the state {mine.state!r} is known"
    assert found["dependents"].saw == "no kept container depends on it"


class OutOfTime(Matcher):
    """No pattern ends in time on any name."""

    def any(self, patterns: Sequence[str], name: str) -> bool | None:
        return None


@pytest.mark.parametrize("baseline", [True, False])
def test_a_container_whose_name_could_not_be_matched_is_no_runs_unless_it_has_the_label(baseline: bool) -> None:
    (item,) = many(1)
    taken = Baseline("docker", item.created_ns - 5 * SECOND, ())
    policy = Policy(run=RunScope(None, taken) if baseline else RunScope(("run", "7")), matcher=OutOfTime(), images=())
    assert decide(item, policy, NOW).reason is (Reason.UNREADABLE if baseline else Reason.OTHER_RUN)
    labelled = replace(item, labels={"run": "7"})
    assert decide(labelled, policy, NOW).reason is (Reason.UNREADABLE if baseline else Reason.RUN)


@pytest.mark.parametrize(
    ("labels", "after_ns", "reason"),
    [
        ({"run": "7"}, 0, Reason.BASELINE),
        ({"run": "7"}, 1, Reason.RUN),
        ({"run": "8"}, 1, Reason.OTHER_RUN),
        ({}, 1, Reason.BASELINE),
        ({}, SECOND, Reason.RUN),
    ],
)
def test_in_the_baselines_second_only_this_runs_label_makes_a_container_the_runs(
    labels: dict[str, str], after_ns: int, reason: Reason
) -> None:
    (item,) = many(1)
    taken = item.created_ns - after_ns
    scope = RunScope(("run", "7"), Baseline("docker", taken, ()))
    assert decide(replace(item, labels=labels), Policy(run=scope), NOW).reason is reason
