"""Why one container was judged as it was."""

from __future__ import annotations

from dataclasses import dataclass

from fleetsweep.model.decision import Decision, Finding, Guard
from fleetsweep.model.host import Host


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one container would be removed or kept: every rule's finding, the decision, and a tripped guard, if any."""

    host: Host
    decision: Decision
    findings: tuple[Finding, ...]
    guard: Guard | None
