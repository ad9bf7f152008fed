"""Plans and their guards: when the picture looks too wrong to act on. Pure, like the rule itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fleetsweep.model import FleetPlan, Guard, GuardName, HostPlan, Lost, Reason, Survey
from fleetsweep.policy import Policy, decide, resources_of_run


@dataclass(frozen=True, slots=True)
class Percent:
    """A cap as a share of the containers surveyed, 0 to 100."""

    value: float

    def __str__(self) -> str:
        return f"{self.value:g}%"


def expect_guard(found: int, expected: tuple[int, int] | None, which: str = "") -> Guard | None:
    """The guard that trips where another number of hosts is selected than ``expected``, the least and the most.

    ``which`` names them in few words.
    """
    if expected is None or expected[0] <= found <= expected[1]:
        return None
    least, most = expected
    wanted = str(least) if least == most else f"{least}..{most}"
    message = (
        f"{found} host{' is' if found == 1 else 's are'} selected{f' ({which})' if which else ''}, "
        f"{wanted} {'was' if wanted == '1' else 'were'} expected: nobody was contacted"
    )
    return Guard(GuardName.EXPECT, message, limit=wanted, found=found)


def plan_fleet(
    surveys: Sequence[Survey | Lost], policies: Mapping[str, Policy], fleet_cap: int | Percent | None = None
) -> FleetPlan:
    """Judge every survey by its host's policy (by host name), then hold the whole against the guards."""
    plans = [item if isinstance(item, Lost) else plan_host(item, policies[item.host.name]) for item in surveys]
    return guard_fleet(_guard_twins(plans, surveys), policies, fleet_cap)


def plan_host(survey: Survey, policy: Policy) -> HostPlan:
    """Every matched container's decision on one host; no guard has looked at it yet."""
    decisions = (decide(container, policy, survey.now_ns) for container in survey.containers)
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


def _guard_twins(plans: Sequence[HostPlan | Lost], surveys: Sequence[Survey | Lost]) -> list[HostPlan | Lost]:
    """Two hosts that share a container id are one engine: all but the first are guarded.

    So nothing is counted or removed twice.
    """
    seen: dict[str, str] = {}
    judged: list[HostPlan | Lost] = []
    for plan, survey in zip(plans, surveys, strict=True):
        if isinstance(plan, Lost) or isinstance(survey, Lost):
            judged.append(plan)
            continue
        ids = [container.id for container in survey.containers]
        first = next((seen[container_id] for container_id in ids if container_id in seen), None)
        for container_id in ids:
            seen.setdefault(container_id, plan.host.name)
        if first is None:
            judged.append(plan)
        else:
            guard = Guard(GuardName.IDENTITY, f"this is the same engine as {first}", limit=None, found=first)
            judged.append(replace(plan, guard=guard))
    return judged


def guard_fleet(
    plans: Sequence[HostPlan | Lost], policies: Mapping[str, Policy], fleet_cap: int | Percent | None
) -> FleetPlan:
    """The fleet's plan under each host's guard and the fleet's own. A guard that has tripped already stays."""
    guarded = tuple(
        plan
        if isinstance(plan, Lost) or plan.guard is not None
        else replace(plan, guard=_host_guard(plan, policies[plan.host.name]))
        for plan in plans
    )
    return FleetPlan(guarded, guard=_fleet_guard(guarded, fleet_cap))


def _host_guard(plan: HostPlan, policy: Policy) -> Guard | None:
    engine_id, skew_s = plan.engine.id, plan.skew_s
    found = len(plan.candidates) + len(plan.resources)
    if policy.engine_id is not None and engine_id != policy.engine_id:
        return Guard(
            GuardName.IDENTITY,
            f"the engine's id is {engine_id or 'unknown'}, the inventory pins {policy.engine_id}",
            limit=policy.engine_id,
            found=engine_id,
        )
    if not abs(skew_s) <= policy.max_skew_s:
        return Guard(
            GuardName.SKEW,
            f"the engine's clock is {abs(skew_s):.0f} s {'ahead' if skew_s > 0 else 'behind'}, "
            f"more than {policy.max_skew_s} s",
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
    return None


def _fleet_guard(plans: Sequence[HostPlan | Lost], fleet_cap: int | Percent | None) -> Guard | None:
    if fleet_cap is None:
        return None
    unique = [plan for plan in plans if isinstance(plan, HostPlan) and not _is_elsewhere(plan)]
    found = sum(len(plan.candidates) for plan in unique)
    surveyed = sum(plan.containers for plan in unique)
    limit = fleet_cap if isinstance(fleet_cap, int) else surveyed * fleet_cap.value / 100
    if found <= limit:
        return None
    return Guard(
        GuardName.FLEET_CAP,
        f"{found} candidates in {surveyed} containers are more than the fleet cap of {fleet_cap}: "
        "nothing is removed anywhere",
        limit=fleet_cap if isinstance(fleet_cap, int) else str(fleet_cap),
        found=found,
    )


def _is_elsewhere(plan: HostPlan) -> bool:
    """Whether what it shows is another host's, or that of a box which it should not be."""
    return plan.guard is not None and plan.guard.name is GuardName.IDENTITY
