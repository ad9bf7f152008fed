"""The incident: 27 orphans, days old, on three boxes, among containers that must stay."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Protocol

from tests.lab.box import NEVER, WORKSPACE, Spec

ORPHANS = (13, 11, 3)
MOVED = "molecule-local/workspace-template-y:latest"


def orphans(count: int, first_state: str = "running") -> list[Spec]:
    """Return ``count`` orphans, two to three days old; the first is in another state."""
    return [
        Spec(
            f"ws-{uuid.uuid5(uuid.NAMESPACE_URL, f'{count}/{number}')}",
            state=first_state if number == 0 else "running",
            age=timedelta(hours=48 + number),
        )
        for number in range(count)
    ]


def bystanders() -> list[Spec]:
    """Return containers that a sweep must not remove."""
    days = timedelta(days=3)
    return [
        Spec(f"ws-{uuid.uuid5(uuid.NAMESPACE_URL, 'young')}", age=timedelta(minutes=12)),
        Spec(f"ws-{uuid.uuid5(uuid.NAMESPACE_URL, 'restarted')}", age=timedelta(minutes=1), created_age=days),
        Spec(f"ws-{uuid.uuid5(uuid.NAMESPACE_URL, 'kept')}", age=days, labels={"fleetsweep.keep": "true"}),
        Spec("pg-main", image="postgres:16", age=days),
        Spec("redis-cache", image="redis:7", age=days),
    ]


class Seedable(Protocol):
    """The methods of a box that the incident uses."""

    def seed(self, specs: Sequence[Spec], /) -> dict[str, str]:
        """Create these containers."""

    def import_image(self, reference: str, salt: str, /) -> None:
        """Move an image's name to another image."""


def seed(boxes: Sequence[Seedable]) -> None:
    """Create the incident on three boxes: one orphan never started, one stopped, one whose image tag moved."""
    plans = [orphans(ORPHANS[0], NEVER), orphans(ORPHANS[1], "exited"), orphans(ORPHANS[2])]
    # Matched by its image alone, which the list shows as a bare id.
    plans[0][1] = Spec("job-4711-template", image=MOVED, age=timedelta(days=3))
    plans[1] += bystanders()
    plans[2] += [Spec("ws-inflight", image=WORKSPACE, age=timedelta(minutes=4)), Spec("pg-ci", image="postgres:16")]

    def fill(box: Seedable, specs: list[Spec]) -> None:
        box.seed(specs)
        box.import_image(MOVED, "a newer build")

    with ThreadPoolExecutor(len(boxes)) as pool:
        list(pool.map(fill, boxes, plans))


def survivors(box_number: int) -> set[str]:
    """Return the names that must run on a box after the sweep (numbers start at 0)."""
    return [set[str](), {spec.name for spec in bystanders()}, {"ws-inflight", "pg-ci"}][box_number]
