"""Explain why one container would be removed or kept, from the rule's own findings. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from fleetsweep.model.container import Container
from fleetsweep.model.decision import Guard, HostPlan, Reason
from fleetsweep.model.explanation import Explanation
from fleetsweep.model.survey import FailedSurvey, Survey
from fleetsweep.policy.rules import Policy, decide, findings

T = TypeVar("T")


def matching(surveys: Sequence[Survey | FailedSurvey], text: str) -> list[tuple[Survey, Container]]:
    """Return the containers whose name or id is ``text``, or if there are none, starts with it.

    Each container of an engine that is listed under two host names is returned once, for the first of them.
    """
    every = [(item, container) for item in surveys if isinstance(item, Survey) for container in item.containers]
    found: dict[str, tuple[Survey, Container]] = {}
    for survey, container in select(every, text, lambda item: (item[1].name, item[1].id)):
        found.setdefault(container.id, (survey, container))
    return list(found.values())


def select(items: Sequence[T], text: str, words: Callable[[T], Sequence[str]]) -> list[T]:
    """Return the items with a word equal to ``text``, or else with one that starts with it. Empty text selects none."""
    if not text:
        return []
    return [item for item in items if text in words(item)] or [
        item for item in items if any(word.startswith(text) for word in words(item))
    ]


def explain_container(container: Container, plan: HostPlan, policy: Policy, fleet_guard: Guard | None) -> Explanation:
    """Return what a sweep would do with one container of a plan's host, and why."""
    decision = next((each for each in plan.decisions if each.container.id == container.id), None)
    in_use = decision.detail if decision is not None and decision.reason is Reason.IN_USE else ""
    return Explanation(
        plan.host,
        decide(container, policy, plan.now_ns, in_use),
        tuple(findings(container, policy, plan.now_ns, in_use)),
        fleet_guard or plan.guard,
    )
