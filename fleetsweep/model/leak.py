"""Leaked containers as a run saw them. Times are nanoseconds since the Unix epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Leak:
    """A container that a run saw stale. ``reason`` is the rule's; ``stale_since_ns`` is when it became stale.

    ``created_ns`` is by the engine's clock, ``stale_since_ns`` by the controller's. ``attributes`` are the labels that
    show where it came from.
    """

    container_id: str
    name: str
    image: str
    reason: str
    attributes: Mapping[str, str]
    created_ns: int
    stale_since_ns: int


@dataclass(frozen=True, slots=True)
class LeaksSeen:
    """What one run saw of one host's leaks.

    ``gone`` has the outcome of each removal after which the container is no longer there; ``kept`` the ids of matched
    containers that no rule removes. With ``complete``, a leak that is in none of the three is gone, too.
    """

    found: tuple[Leak, ...]
    gone: Mapping[str, str]
    kept: frozenset[str]
    complete: bool
