"""Plans and their guards, which refuse to act where the picture looks wrong. Pure, like the rule itself."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from fleetsweep.model.container import SECOND, Container
from fleetsweep.model.decision import Decision, FleetPlan, Guard, GuardName, HostPlan, Reason
from fleetsweep.model.durations import compared, in_words
from fleetsweep.model.host import Host
from fleetsweep.model.survey import Engine, FailedSurvey, Fault, Survey
from fleetsweep.policy.anomaly import anomaly_guard
from fleetsweep.policy.dependents import keep_in_use
from fleetsweep.policy.identity import Listed, Twins, identity_of, other_engine
from fleetsweep.policy.rules import Policy, decide, resources_of_run

if TYPE_CHECKING:
    from fleetsweep.model.run_scope import Baseline

log = logging.getLogger(__name__)

History = Mapping[str, Sequence[int]]
"""Of each host, the numbers of candidates that earlier runs found, the oldest first."""

_NO_HISTORY: Final[History] = {}


@dataclass(frozen=True, slots=True)
class Percent:
    """A cap as a share of the containers surveyed, 0 to 100."""

    value: float

    def __str__(self) -> str:
        return f"{self.value:g}%"


def expect_guard(found: int, expected: tuple[int, int] | None, which: str = "") -> Guard | None:
    """Return a guard if ``found`` hosts are not within ``expected``, the least and the most; else None.

    ``which`` is a short list of their names.
    """
    if expected is None or expected[0] <= found <= expected[1]:
        return None
    least, most = expected
    wanted = str(least) if least == most else f"{least}..{most}"
    message = (
        f"{found} host{' is' if found == 1 else 's are'} selected{f' ({which})' if which else ''}, "
        f"{wanted} {'was' if wanted == '1' else 'were'} expected: no host was contacted"
    )
    return Guard(GuardName.EXPECT, message, limit=wanted, found=found)


def plan_fleet(
    surveys: Sequence[Survey | FailedSurvey],
    policies: Mapping[str, Policy],
    fleet_cap: int | Percent | None = None,
    history: History = _NO_HISTORY,
) -> FleetPlan:
    """Plan every host by its policy (keyed by host name), then apply the guards to the whole fleet."""
    planner = FleetPlanner(len(surveys), policies, history)
    for position, survey in enumerate(surveys):
        planner.add(position, survey)
    return planner.finish(fleet_cap)


class FleetPlanner:
    """Plans a fleet from surveys that arrive in any order. Of a survey it keeps what is matched, and the ids.

    A host's plan is final once no later survey can change it. One that lists containers waits for the hosts before it
    in the inventory: they may be the same engine. ``count`` is the number of hosts.
    """

    def __init__(self, count: int, policies: Mapping[str, Policy], history: History = _NO_HISTORY) -> None:
        self._policies = policies
        self._history = history
        self._plans: list[HostPlan | FailedSurvey | None] = [None] * count
        self._listed: dict[int, Listed] = {}
        self._twins = Twins()
        self._next = 0

    def add(self, position: int, survey: Survey | FailedSurvey) -> list[HostPlan | FailedSurvey]:
        """Plan the host at a position of the inventory. Return the plans that are final now."""
        final: list[HostPlan | FailedSurvey] = []
        if isinstance(survey, FailedSurvey):
            self._plans[position] = survey
            final.append(survey)
        else:
            policy = self._policies[survey.host.name]
            plan = _alone(survey, lambda: plan_host(survey, policy))
            self._plans[position] = plan
            if survey.containers:
                self._listed[position] = Listed(survey)
            else:
                final.append(self._guard(position, plan, None))
        while self._next < len(self._plans) and (waiting := self._plans[self._next]) is not None:
            listed = self._listed.pop(self._next, None)
            if listed is not None:
                final.append(self._guard(self._next, waiting, listed))
            self._next += 1
        return final

    def finish(self, fleet_cap: int | Percent | None) -> FleetPlan:
        """Return the fleet's plan. Every host must have been added."""
        plans = tuple(plan for plan in self._plans if plan is not None)
        return FleetPlan(plans, guard=_fleet_guard(plans, fleet_cap))

    def _guard(self, position: int, plan: HostPlan | FailedSurvey, listed: Listed | None) -> HostPlan | FailedSurvey:
        """Apply a host's guards, the first of them that all but the first of the hosts that share one engine have."""

        def guarded() -> HostPlan | FailedSurvey:
            first = self._twins.add(listed) if listed is not None else None
            if isinstance(plan, FailedSurvey):
                return plan
            name = plan.host.name
            # Nothing may be counted or removed twice.
            twin = Guard(GuardName.IDENTITY, f"this is the same engine as {first}", limit=None, found=first)
            own = _host_guard(plan, self._policies[name], self._history.get(name, ())) if first is None else twin
            return replace(plan, guard=own)

        found = self._plans[position] = _alone(plan, guarded)
        return found


def _alone(
    found: Survey | HostPlan | FailedSurvey, judge: Callable[[], HostPlan | FailedSurvey]
) -> HostPlan | FailedSurvey:
    """Return what ``judge`` makes of one host. A bug becomes this host's fault and leaves the others alone."""
    try:
        return judge()
    except Exception as error:
        log.exception("a bug while judging %s", found.host.name)
        return FailedSurvey(found.host, Fault.of_bug(error), found.duration_s)


def plan_host(survey: Survey, policy: Policy) -> HostPlan:
    """Return one host's plan: a decision on each matched container. No guard is applied yet."""

    def judge(container: Container, in_use: str = "") -> Decision:
        return decide(container, policy, survey.now_ns, in_use)

    decisions = keep_in_use([judge(container) for container in survey.containers], judge)
    return HostPlan(
        host=survey.host,
        engine=survey.engine,
        now_ns=survey.now_ns,
        skew_s=survey.skew_s,
        duration_s=survey.duration_s,
        containers=len(survey.containers),
        decisions=tuple(decision for decision in decisions if decision.reason is not Reason.UNMATCHED),
        resources=resources_of_run(survey.resources, policy, survey.now_ns),
    )


def guard_fleet(
    plans: Sequence[HostPlan | FailedSurvey],
    policies: Mapping[str, Policy],
    fleet_cap: int | Percent | None,
    history: History = _NO_HISTORY,
) -> FleetPlan:
    """Return the fleet's plan with each host's guards and the fleet's applied. Guards that tripped before are kept."""
    guarded = tuple(
        plan
        if isinstance(plan, FailedSurvey) or plan.guard is not None
        else replace(plan, guard=_host_guard(plan, policies[plan.host.name], history.get(plan.host.name, ())))
        for plan in plans
    )
    return FleetPlan(guarded, guard=_fleet_guard(guarded, fleet_cap))


def _host_guard(plan: HostPlan, policy: Policy, history: Sequence[int]) -> Guard | None:
    skew_s, found = plan.skew_s, _wanted(plan)
    pinned = _pin_guard(plan.engine, policy)
    if pinned is not None:
        return pinned
    if policy.run is not None and policy.run.baseline is not None:
        tripped = _baseline_guard(plan, policy.run.baseline)
        if tripped is not None:
            return tripped
    if not abs(skew_s) <= policy.max_skew_s:
        # Rounded up where it must be seen: 300.5 s is more than 300 s.
        close = abs(skew_s) < policy.max_skew_s + 1
        skew, most = compared(math.ceil(abs(skew_s)) if close else abs(skew_s), policy.max_skew_s)
        return Guard(
            GuardName.SKEW,
            f"the engine's clock is {skew} {'ahead' if skew_s > 0 else 'behind'}, more than {most}",
            limit=policy.max_skew_s,
            found=skew_s,
        )
    if policy.cap is not None and found > policy.cap:
        return Guard(
            GuardName.CAP,
            f"{found} candidates are more than the cap of {policy.cap}: nothing is removed here",
            limit=policy.cap,
            found=found,
        )
    return anomaly_guard(len(plan.candidates), history) if policy.anomaly else None


def engine_guard(host: Host, planned: Engine, found: Engine, policy: Policy) -> Guard | None:
    """Return a guard if the engine reached for removal is not the one that was planned on; else None."""
    return _pin_guard(found, policy) or other_engine(host, identity_of(host, planned), found, "the plan")


def _pin_guard(engine: Engine, policy: Policy) -> Guard | None:
    if policy.engine_id is None or engine.id == policy.engine_id:
        return None
    return Guard(
        GuardName.IDENTITY,
        f"the engine's id is {engine.id or 'unknown'}, the inventory pins {policy.engine_id}",
        limit=policy.engine_id,
        found=engine.id,
    )


def _baseline_guard(plan: HostPlan, baseline: Baseline) -> Guard | None:
    """Return a guard if the engine is not the baseline's, or its clock contradicts the baseline's time; else None."""
    from fleetsweep.model.run_scope import CLOCK_TOLERANCE_S, LONGEST_JOB_S

    other = other_engine(plan.host, baseline.identity, plan.engine, "the baseline")
    if other is not None:
        return other
    age_s = (plan.now_ns - baseline.taken_ns) // SECOND
    if -CLOCK_TOLERANCE_S <= age_s <= LONGEST_JOB_S:
        return None
    when = f"{in_words(-age_s)} in the future" if age_s < 0 else f"{in_words(age_s, 4)} ago, more than a day"
    return Guard(
        GuardName.SKEW,
        f"the baseline was taken {when}, by this engine's clock: nothing is removed here",
        limit=LONGEST_JOB_S,
        found=age_s,
    )


def _fleet_guard(plans: Sequence[HostPlan | FailedSurvey], fleet_cap: int | Percent | None) -> Guard | None:
    """Return the guard of the whole fleet, if it trips. Hosts that are guarded themselves don't count.

    Those with an anomaly do: ``--anomaly`` must not allow what the cap forbids without it.
    """
    if fleet_cap is None:
        return None
    counted = [
        (_wanted(plan), plan.containers)
        for plan in plans
        if isinstance(plan, HostPlan) and (plan.guard is None or plan.guard.name is GuardName.ANOMALY)
    ]
    found, surveyed = sum(wanted for wanted, _ in counted), sum(containers for _, containers in counted)
    aside = ""
    if isinstance(fleet_cap, int):
        tripped = found > fleet_cap
    else:
        tripped = found > surveyed * fleet_cap.value / 100
        if not tripped and len(counted) > 1:
            of_largest, largest = max(counted, key=lambda each: each[1])
            # Otherwise one box with a long list could raise the limit for all others.
            others, rest = found - of_largest, surveyed - largest
            tripped = others > (rest + min(largest, rest)) * fleet_cap.value / 100
            if tripped:
                found, surveyed = others, rest
                aside = " (the host with the most containers counts for no more than all the others together)"
    if not tripped:
        return None
    return Guard(
        GuardName.FLEET_CAP,
        f"{found} candidates in {surveyed} containers are more than the fleet cap of {fleet_cap}{aside}: "
        "nothing is removed anywhere",
        limit=fleet_cap if isinstance(fleet_cap, int) else str(fleet_cap),
        found=found,
    )


def _wanted(plan: HostPlan) -> int:
    return len(plan.candidates) + len(plan.resources)
