"""What one run of a job created, for a teardown. Frozen values, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LONGEST_JOB_S: Final = 86_400
"""Seconds. No job takes longer, so an older baseline is a leftover of another job."""

CLOCK_TOLERANCE_S: Final = 5 * 60
"""Seconds that a baseline may lie in the future, because the controller's and the engine's clocks differ a little."""


class ResourceKind(StrEnum):
    """The kinds of resources, other than containers, that a job leaves behind."""

    VOLUME = "volume"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class Resource:
    """A volume or a network. ``ref`` is a volume's name, which is all it has, or a network's 64 hex digits.

    ``created`` is the engine's own text, which is only compared. ``labels`` is None if they could not be read.
    """

    kind: ResourceKind
    ref: str
    name: str
    created: str
    labels: Mapping[str, str] | None

    @property
    def id(self) -> str:
        """The id in the journal, where it can't be confused with a container's."""
        return f"{self.kind}:{self.ref}"


@dataclass(frozen=True, slots=True)
class Baseline:
    """The ids of the containers that the selectors matched before a job, at ``taken_ns`` by the engine's own clock.

    ``taken_ns`` is whole seconds, rounded down. ``identity`` is ``identity_of`` the engine.
    """

    identity: str
    taken_ns: int
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunScope:
    """What a teardown removes: whatever one run of a job created, regardless of age.

    ``label`` is the key and the value that this run's containers carry, ``baseline`` the containers that existed before
    it. At least one of them is given.
    """

    label: tuple[str, str] | None = None
    baseline: Baseline | None = None
