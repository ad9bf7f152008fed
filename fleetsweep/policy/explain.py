"""Why one container would go or stay: the rule's own findings, told. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from fleetsweep.model.container import Container
from fleetsweep.model.decision import Explanation, Guard, HostPlan, Reason
from fleetsweep.model.survey import FailedSurvey, Survey
from fleetsweep.policy.rules import Policy, decide, findings

T = TypeVar("T")


def matching(surveys: Sequence[Survey | FailedSurvey], text: str) -> list[tuple[Survey, Container]]:
    """The containers that ``text`` means: those of that very name or id, else those whose name or id begins so.

    An engine under two host names has each of its containers once, at the first.
    """

    every = [(item, container) for item in surveys if isinstance(item, Survey) for container in item.containers]
    found: dict[str, tuple[Survey, Container]] = {}
    for survey, container in meant(every, text, lambda item: (item[1].name, item[1].id)):
        found.setdefault(container.id, (survey, container))
    return list(found.values())


def meant(items: Sequence[T], text: str, words: Callable[[T], Sequence[str]]) -> list[T]:
    """Those of which one of the ``words`` is ``text``, else those of which one begins so; none if that is empty."""
    if not text:
        return []
    return [item for item in items if text in words(item)] or [
        item for item in items if any(word.startswith(text) for word in words(item))
    ]


def explain_container(container: Container, plan: HostPlan, policy: Policy, fleet_guard: Guard | None) -> Explanation:
    """What a sweep would do about one container of a plan's host."""
    decision = next((each for each in plan.decisions if each.container.id == container.id), None)
    in_use = decision.detail if decision is not None and decision.reason is Reason.IN_USE else ""
    return Explanation(
        plan.host,
        decide(container, policy, plan.now_ns, in_use),
        tuple(findings(container, policy, plan.now_ns, in_use)),
        fleet_guard or plan.guard,
    )
