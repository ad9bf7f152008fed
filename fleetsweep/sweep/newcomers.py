"""Who has come to live on a candidate since it was judged: a saved plan may be an hour old."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from fleetsweep.errors import HostError
from fleetsweep.model import states
from fleetsweep.model.container import SECOND, UNREADABLE, Container
from fleetsweep.model.decision import HostPlan

CLOCK_STEP_NS: Final = 10 * SECOND
"""How far an engine's clock may have been set back since the plan: who came then counts as a newcomer, too."""


Resolve = Callable[[Sequence[Container]], list[Container]]


class Engine(Protocol):
    """What this needs of an engine."""

    def inspect(self, container_id: str, /, *, within: float | None = None) -> Container | None:
        """The container as it is now; None if it is gone."""


def in_use_now(
    engine: Engine, listed: Sequence[Container], plan: HostPlan, *, resolve: Resolve, look_s: float
) -> dict[str, str]:
    """The candidates that others live on by now, each with who does, in words.

    ``listed`` is the engine's list of this moment. It need not tell of every namespace, so those who came after the
    plan was made are looked at, ``look_s`` seconds each. Where that fails, no candidate that runs is touched: the death
    of a process namespace takes all that live in it along. ``resolve`` turns names into ids.
    """
    candidates = {decision.container.id: decision.container for decision in plan.candidates}
    judged = {decision.container.id for decision in plan.decisions}
    in_use: dict[str, str] = {}
    seen: list[Container] = []
    for container in listed:
        looked: Container | None = None
        if container.id not in judged and _came_after(container, plan):
            try:
                looked = engine.inspect(container.id, within=look_s)
            except HostError as error:
                doubt = f"{_name(container)} came after the plan was made and may live on it: {error.message}"
                in_use.update({owner.id: doubt for owner in candidates.values() if owner.state in states.STARTED})
        lives_on = (*container.lives_on, *(looked.lives_on if looked is not None else ()))
        seen.append(replace(container, lives_on=lives_on))
    for container in resolve(seen):
        for owner in container.lives_on:
            if owner in candidates and container.id not in candidates:
                in_use[owner] = f"it is in use by {_name(container)} now"
    return in_use


def _came_after(container: Container, plan: HostPlan) -> bool:
    return container.created_ns == UNREADABLE or container.created_ns >= plan.now_ns - CLOCK_STEP_NS


def _name(container: Container) -> str:
    return container.name or container.id[:12]
