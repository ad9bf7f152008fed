"""What one row shows of a host's leaks, and since when each container has been one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetsweep.model.container import SECOND
from fleetsweep.model.decision import GuardName, HostPlan
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.report import HostReport
from fleetsweep.model.run_scope import RunScope
from fleetsweep.model.survey import Status
from fleetsweep.policy.guards import plan_fleet
from fleetsweep.policy.leaks import leaks_of
from fleetsweep.policy.rules import Policy
from tests.policy.test_rules import NOW, container, many, survey

HOUR = 3600


def row(policy: Policy, *, skew_s: float = 0.0, count: int = 2) -> HostReport:
    (plan,) = plan_fleet([survey("a", many(count), skew_s)], {"a": policy}).hosts
    assert isinstance(plan, HostPlan)
    return HostReport(plan.host, Status.OK, plan=plan)


def test_a_leak_began_when_the_container_passed_the_max_age_by_the_controllers_clock() -> None:
    policy = Policy()
    seen = leaks_of(row(policy, skew_s=100.0), policy)
    assert seen is not None
    age_s = row(policy).plan.decisions[0].age_s  # type: ignore[union-attr]
    assert age_s is not None
    assert seen.found[0].stale_since_ns == NOW - 100 * SECOND - (age_s - policy.max_age_s) * SECOND
    assert seen.complete


def test_a_leak_by_its_lifetime_began_when_that_ended() -> None:
    policy = Policy(max_lifetime_s=24 * HOUR)
    restarted = container(started_ns=NOW - HOUR * SECOND)
    (plan,) = plan_fleet([survey("a", [restarted])], {"a": policy}).hosts
    assert isinstance(plan, HostPlan)
    seen = leaks_of(HostReport(plan.host, Status.OK, plan=plan), policy)
    assert seen is not None
    (leak,) = seen.found
    assert (leak.reason, leak.stale_since_ns) == ("lifetime", restarted.created_ns + 24 * HOUR * SECOND)


def test_what_is_matched_and_not_stale_is_kept() -> None:
    policy = Policy(max_age_s=10**9)
    seen = leaks_of(row(policy), policy)
    assert seen is not None
    assert (seen.found, len(seen.kept)) == ((), 2)


def test_removed_and_vanished_containers_are_gone_and_others_are_not() -> None:
    policy = Policy()
    ids = [container.id for container in many(3)]
    removals = tuple(map(Removal, ids, (Outcome.REMOVED, Outcome.GONE, Outcome.FAILED)))
    seen = leaks_of(replace(row(policy, count=3), removals=removals), policy)
    assert seen is not None
    assert seen.gone == {ids[0]: "removed", ids[1]: "gone"}


def test_a_teardown_shows_removals_and_no_leaks() -> None:
    policy = Policy(run=RunScope(("run", "7")))
    seen = leaks_of(row(policy), policy)
    assert seen is not None
    assert (seen.found, seen.complete) == ((), False)


@pytest.mark.parametrize("skew_s", [float("nan"), float("inf"), 900.0])
def test_under_the_skew_guard_no_age_is_known(skew_s: float) -> None:
    policy = Policy()
    guarded = row(policy, skew_s=skew_s)
    assert guarded.guarded_by is not None
    assert guarded.guarded_by.name is GuardName.SKEW
    assert leaks_of(guarded, policy) is None


def test_a_host_that_was_not_surveyed_shows_nothing() -> None:
    policy = Policy()
    assert leaks_of(replace(row(policy), plan=None), policy) is None
