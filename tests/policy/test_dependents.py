"""The dependents that are named where a container is kept for them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetsweep.model.container import Container
from fleetsweep.model.decision import Reason
from fleetsweep.policy.guards import plan_host
from fleetsweep.policy.rules import Policy
from tests.policy.test_rules import NOW, container, survey

OWNER = container(id="0" * 64, name="ws-owner")
LIVES = "lives in its network, IPC or process namespace"


def young(number: int, name: str) -> Container:
    return container(id=f"{number:064x}"[::-1], name=name, started_ns=NOW, lives_on=(OWNER.id,))


@pytest.mark.parametrize(
    ("users", "who"),
    [
        ([young(1, "ws-young")], f"ws-young (100000000000) {LIVES}"),
        ([young(1, "n" * 90)], f"{'n' * 80} (100000000000) {LIVES}"),
        ([young(1, "")], f"100000000000 {LIVES}"),
        ([young(2, "b"), young(1, "a"), young(3, "c")], f"a (100000000000) {LIVES}, 2 more do"),
    ],
)
def test_dependents_are_named_briefly(users: list[Container], who: str) -> None:
    plan = plan_host(survey("a", [OWNER, *(replace(user, image="molecule-local/x") for user in users)]), Policy())
    spared = next(each for each in plan.decisions if each.container.id == OWNER.id)
    assert (spared.reason, spared.detail) == (Reason.IN_USE, who)
