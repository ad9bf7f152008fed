"""Find candidates that new containers depend on: a saved plan may be an hour old."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from fleetsweep.errors import HostError
from fleetsweep.model import states
from fleetsweep.model.container import SECOND, UNREADABLE, Container
from fleetsweep.model.decision import HostPlan

CLOCK_STEP_NS: Final = 10 * SECOND
"""How far an engine's clock may have been set back since the plan: a container created then counts as new, too."""

Resolve = Callable[[Sequence[Container]], list[Container]]


class Engine(Protocol):
    """The operation of an engine that this module needs."""

    def inspect(self, container_id: str, /, *, within: float | None = None) -> Container | None:
        """Return the container's current state; None if it is gone. Raises HostError."""


def in_use_now(
    engine: Engine, listed: Sequence[Container], plan: HostPlan, *, resolve: Resolve, look_s: float
) -> dict[str, str]:
    """Return the ids of the candidates that other containers depend on by now, each with the reason to print.

    ``listed`` is the engine's current list. It does not show every shared namespace, so containers that were created
    after the plan are inspected, each within ``look_s`` seconds. If an inspection fails, no running candidate may go:
    the end of a process namespace kills all containers in it. ``resolve`` turns names into ids.
    """
    candidates = {decision.container.id: decision.container for decision in plan.candidates}
    judged = {decision.container.id for decision in plan.decisions}
    in_use: dict[str, str] = {}
    complete: list[Container] = []
    for container in listed:
        inspected: Container | None = None
        if container.id not in judged and _created_after(container, plan):
            try:
                inspected = engine.inspect(container.id, within=look_s)
            except HostError as error:
                doubt = f"{_name(container)} was created after the plan was made and may depend on it: {error.message}"
                in_use.update({owner.id: doubt for owner in candidates.values() if owner.state in states.STARTED})
        lives_on = (*container.lives_on, *(inspected.lives_on if inspected is not None else ()))
        complete.append(replace(container, lives_on=lives_on))
    for container in resolve(complete):
        for owner in container.lives_on:
            if owner in candidates and container.id not in candidates:
                in_use[owner] = f"it is in use by {_name(container)} now"
    return in_use


def _created_after(container: Container, plan: HostPlan) -> bool:
    return container.created_ns == UNREADABLE or container.created_ns >= plan.now_ns - CLOCK_STEP_NS


def _name(container: Container) -> str:
    return container.name or container.id[:12]
