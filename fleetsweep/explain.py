"""Why one container would go or stay: the rule's own findings, told. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fleetsweep.model import Container, Explanation, Guard, HostPlan, Lost, Survey
from fleetsweep.policy import Policy, decide, findings


def matching(surveys: Sequence[Survey | Lost], text: str) -> list[tuple[Survey, Container]]:
    """The containers that ``text`` means: those of that very name or id, else those whose name or id begins so.

    An engine under two host names has each of its containers once, at the first.
    """

    def those(means: Callable[[str], bool]) -> list[tuple[Survey, Container]]:
        found: dict[str, tuple[Survey, Container]] = {}
        for survey in (item for item in surveys if isinstance(item, Survey)):
            for container in survey.containers:
                if means(container.name) or means(container.id):
                    found.setdefault(container.id, (survey, container))
        return list(found.values())

    if not text:
        return []
    return those(lambda word: word == text) or those(lambda word: word.startswith(text))


def explain_container(container: Container, plan: HostPlan, policy: Policy, fleet_guard: Guard | None) -> Explanation:
    """What a sweep would do about one container of a plan's host."""
    return Explanation(
        plan.host,
        decide(container, policy, plan.now_ns),
        tuple(findings(container, policy, plan.now_ns)),
        fleet_guard or plan.guard,
    )
