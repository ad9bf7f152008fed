"""Containers that depend on others: one that shares a namespace needs the namespace's owner. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from fleetsweep.model.container import Container
from fleetsweep.model.decision import Decision, Verdict


def keep_in_use(decisions: Sequence[Decision], in_use: Callable[[Container, str], Decision]) -> tuple[Decision, ...]:
    """Return the decisions on all containers of one host, keeping those that a kept container depends on.

    Dependencies are transitive: if A depends on B, B on C, and A is kept, so are B and C. ``in_use(container, reason)``
    makes the decision on a container that is kept; ``reason`` names what depends on it.
    """
    to_remove = {decision.container.id for decision in decisions if decision.verdict is Verdict.REMOVE}
    if not to_remove:
        return tuple(decisions)
    by_id = {decision.container.id: decision.container for decision in decisions}
    users: dict[str, list[Container]] = {}
    kept = deque(decision.container for decision in decisions if decision.container.id not in to_remove)
    while kept:
        user = kept.popleft()
        for owner in user.lives_on:
            if owner not in to_remove:
                continue
            if owner not in users:
                kept.append(by_id[owner])
            users.setdefault(owner, []).append(user)
    return tuple(
        in_use(decision.container, _who(users[decision.container.id])) if decision.container.id in users else decision
        for decision in decisions
    )


def _who(users: Sequence[Container]) -> str:
    first, *others = sorted(users, key=lambda user: (user.name, user.id))
    name = f"{first.name[:80]} ({first.id[:12]})" if first.name else first.id[:12]
    return f"{name} lives in its network, IPC or process namespace" + (f", {len(others)} more do" if others else "")
