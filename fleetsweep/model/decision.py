"""The decision on a container, and the plans for a host and for the fleet with their guards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from fleetsweep.model.container import Container
from fleetsweep.model.host import Host
from fleetsweep.model.survey import Engine, FailedSurvey

if TYPE_CHECKING:
    from fleetsweep.model.run_scope import Resource


class Verdict(StrEnum):
    """Whether a container is removed."""

    REMOVE = "remove"
    KEEP = "keep"


class Reason(StrEnum):
    """Why a container is removed or kept."""

    STALE = "stale"
    LIFETIME = "lifetime"
    YOUNG = "young"
    UNMATCHED = "unmatched"
    PROTECTED = "protected"
    HELD = "held"
    UNKNOWN_AGE = "unknown-age"
    UNREADABLE = "unreadable"
    MANAGED = "managed"
    IN_USE = "in-use"
    RUN = "run"
    BASELINE = "baseline"
    OTHER_RUN = "other-run"


class Selector(StrEnum):
    """The three kinds of pattern that select containers."""

    NAME = "name"
    IMAGE = "image"
    LABEL = "label"


class AgeFrom(StrEnum):
    """The timestamp that an age was measured from."""

    STARTED = "started"
    CREATED = "created"


NO_ATTRIBUTES: Final[Mapping[str, str]] = {}
"""The attributes of a container that is kept: one object, since a large fleet keeps many decisions."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The rule's verdict on one container. ``age_s`` is whole seconds, rounded down; None if unknown.

    ``labels_digest`` is set if the container is to be removed. Labels may hold secrets, so a saved plan has the digest
    in their place. ``attributes`` are those of its labels that show where it came from, also only if it is to be
    removed. ``detail`` explains the reasons ``in-use``, ``unreadable`` and ``managed``.
    """

    container: Container
    verdict: Verdict
    reason: Reason
    matched_by: tuple[Selector, ...] = ()
    age_s: int | None = None
    age_from: AgeFrom | None = None
    labels_digest: str = ""
    detail: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


class Finding(NamedTuple):
    """What one rule found in a container, and the reason it gives; None if the rule does not apply."""

    rule: str
    saw: str
    reason: Reason | None


class GuardName(StrEnum):
    """Which guard refused to act."""

    CAP = "cap"
    FLEET_CAP = "fleet-cap"
    SKEW = "skew"
    IDENTITY = "identity"
    EXPECT = "expect"
    ANOMALY = "anomaly"


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard that tripped: nothing is removed on its host, or in its fleet."""

    name: GuardName
    message: str
    limit: int | float | str | None = None
    found: int | float | str | None = None


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What would be done on one host, and the guard that forbids it, if one tripped.

    ``now_ns``, ``skew_s`` and ``duration_s`` are its survey's; ``containers`` counts all that the engine listed.
    ``decisions`` are those on containers that a selector matched, ``resources`` the volumes and networks to remove.
    """

    host: Host
    engine: Engine
    now_ns: int
    skew_s: float
    duration_s: float
    containers: int
    decisions: tuple[Decision, ...]
    guard: Guard | None = None
    resources: tuple[Resource, ...] = ()

    @property
    def candidates(self) -> tuple[Decision, ...]:
        """The decisions to remove, regardless of the guard."""
        return tuple(d for d in self.decisions if d.verdict is Verdict.REMOVE)


def is_actionable(item: HostPlan | FailedSurvey) -> bool:
    """Whether a host has something to remove and no tripped guard of its own."""
    return isinstance(item, HostPlan) and item.guard is None and bool(item.candidates or item.resources)


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """Every selected host once, in inventory order. ``guard`` stops the whole fleet."""

    hosts: tuple[HostPlan | FailedSurvey, ...]
    guard: Guard | None = None
