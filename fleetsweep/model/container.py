"""A container as the engine describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

SECOND: Final = 1_000_000_000
"""Nanoseconds."""

UNREADABLE: Final = 0
"""The value of a missing or malformed timestamp. The policy rejects it like every date before 2013."""


@dataclass(frozen=True, slots=True)
class Container:
    """A container as the engine describes it.

    ``id`` is 64 hex digits, ``name`` has no leading slash. ``image`` from the list may be a bare id; from inspect it is
    the reference the container was created with. Timestamps are nanoseconds since the Unix epoch. ``started_ns`` is
    None for a container that never started, and has no meaning unless ``inspected``. ``labels`` is None if the engine's
    label map could not be read. ``restarts`` is None until inspected. ``trouble`` is the error if it could not be
    inspected or some of it could not be read. ``lives_on`` has the ids of the containers whose namespaces it shares, as
    far as the engine reports them. ``managed_by`` describes an owner that no label names, such as the pod of an infra
    container.
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


@dataclass(frozen=True, slots=True)
class Inspected:
    """A container as it was inspected, and the engine's whole response."""

    container: Container
    document: Mapping[str, object]


class Target(Protocol):
    """A container, volume or network, as the journal records it."""

    @property
    def id(self) -> str:
        """The unique id."""

    @property
    def name(self) -> str:
        """The name that an operator knows."""
