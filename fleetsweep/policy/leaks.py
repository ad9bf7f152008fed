"""Which leaked containers a run saw on a host, and since when each has been one. Pure."""

from __future__ import annotations

import math
from typing import Final

from fleetsweep.model.container import SECOND
from fleetsweep.model.decision import Decision, GuardName, HostPlan, Reason
from fleetsweep.model.leak import Leak, LeaksSeen
from fleetsweep.model.outcome import Outcome
from fleetsweep.model.report import HostReport
from fleetsweep.policy.rules import Policy

_GONE: Final = frozenset({Outcome.REMOVED, Outcome.GONE})
_BLIND: Final = frozenset({GuardName.IDENTITY, GuardName.SKEW})
"""Under these guards the containers are another host's, or their ages are unknown."""


def leaks_of(row: HostReport, policy: Policy) -> LeaksSeen | None:
    """Return what this row shows of the host's leaks; None where it shows nothing.

    ``policy`` is the host's. A teardown removes what a job made, whatever its age: it sees removals, and no leaks.
    """
    plan, guard = row.plan, row.guarded_by
    gone = {removal.container_id: removal.outcome for removal in row.removals if removal.outcome in _GONE}
    if plan is None or not math.isfinite(plan.skew_s) or (guard is not None and guard.name in _BLIND):
        return None
    if policy.run is not None:
        return LeaksSeen((), gone, frozenset(), complete=False)
    found = tuple(_leak(decision, plan, policy) for decision in plan.candidates)
    kept = {decision.container.id for decision in plan.decisions} - {leak.container_id for leak in found}
    return LeaksSeen(found, gone, frozenset(kept), complete=True)


def _leak(decision: Decision, plan: HostPlan, policy: Policy) -> Leak:
    container = decision.container
    now_ns = plan.now_ns - int(plan.skew_s * SECOND)
    if decision.reason is Reason.LIFETIME:
        age_s, limit_s = max(0, plan.now_ns - container.created_ns) // SECOND, policy.max_lifetime_s or 0
    else:
        age_s, limit_s = decision.age_s or 0, policy.max_age_s
    return Leak(
        container_id=container.id,
        name=container.name,
        image=container.image,
        reason=decision.reason.value,
        attributes=decision.attributes,
        created_ns=container.created_ns,
        stale_since_ns=now_ns - max(0, age_s - limit_s) * SECOND,
    )
