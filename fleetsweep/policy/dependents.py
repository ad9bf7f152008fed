"""Containers that live on others: whoever shares a namespace needs its owner. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from fleetsweep.model.container import Container
from fleetsweep.model.decision import Decision, Verdict


def spare_in_use(decisions: Sequence[Decision], in_use: Callable[[Container, str], Decision]) -> tuple[Decision, ...]:
    """The decisions on all containers of one host, where none is to go that one which stays lives on.

    Also through others: where A lives on B, B on C, and A stays, so do B and C. ``in_use(container, who)`` decides on
    one that is spared; ``who`` says in words what lives on it.
    """
    to_go = {decision.container.id for decision in decisions if decision.verdict is Verdict.REMOVE}
    if not to_go:
        return tuple(decisions)
    by_id = {decision.container.id: decision.container for decision in decisions}
    users: dict[str, list[Container]] = {}
    staying = deque(decision.container for decision in decisions if decision.container.id not in to_go)
    while staying:
        user = staying.popleft()
        for owner in user.lives_on:
            if owner not in to_go:
                continue
            if owner not in users:
                staying.append(by_id[owner])
            users.setdefault(owner, []).append(user)
    return tuple(
        in_use(decision.container, _who(users[decision.container.id])) if decision.container.id in users else decision
        for decision in decisions
    )


def _who(users: Sequence[Container]) -> str:
    first, *others = sorted(users, key=lambda user: (user.name, user.id))
    name = f"{first.name[:80]} ({first.id[:12]})" if first.name else first.id[:12]
    return f"{name} lives in its network, IPC or process namespace" + (f", {len(others)} more do" if others else "")
