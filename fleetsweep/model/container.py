"""What an engine said of one container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

SECOND: Final = 1_000_000_000


UNREADABLE: Final = 0
"""Stands for a timestamp that was missing or malformed: the policy refuses it like every date before 2013."""


@dataclass(frozen=True, slots=True)
class Container:
    """What an engine said of one container.

    ``id`` is 64 hex digits, ``name`` has no leading slash. ``image`` is the reference as the engine last
    told it: from the list it may be a bare id, from inspect it is the reference the container was created
    with. Timestamps are nanoseconds since the Unix epoch; ``started_ns`` is None for a container that never
    started, and only means something where ``inspected``. ``labels`` is None where the engine's label map
    could not be read. ``restarts`` is None until inspected. ``trouble`` is what was said where it could not be
    looked at, or what of it could not be read. ``lives_on`` has the ids of containers whose namespaces it shares, as
    far as the engine told. ``managed_by`` says in words who owns it where no label does: the pod of an infra container.
    """

    id: str
    name: str
    image: str
    image_id: str
    state: str
    created_ns: int
    labels: Mapping[str, str] | None
    started_ns: int | None = None
    restarts: int | None = None
    inspected: bool = False
    trouble: str = ""
    lives_on: tuple[str, ...] = ()
    managed_by: str = ""


class Target(Protocol):
    """A container, a volume or a network, as the journal knows it."""

    @property
    def id(self) -> str:
        """Its id, which no other has."""

    @property
    def name(self) -> str:
        """What an operator calls it."""
