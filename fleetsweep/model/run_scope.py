"""What one run of a job made: the nouns of a teardown. Frozen values, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LONGEST_JOB_S: Final = 86_400
"""Seconds. No job is that long: an older baseline is another job's that was left lying."""

CLOCK_TOLERANCE_S: Final = 5 * 60
"""How far in the future a baseline may have been taken: the clocks of a controller and an engine differ a little."""


class ResourceKind(StrEnum):
    """What a job leaves besides containers."""

    VOLUME = "volume"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class Resource:
    """A volume or a network. ``ref`` is a volume's name, which is all it has, or a network's 64 hex digits.

    ``created`` is the engine's own text, only ever compared. ``labels`` is None where they could not be read.
    """

    kind: ResourceKind
    ref: str
    name: str
    created: str
    labels: Mapping[str, str] | None

    @property
    def id(self) -> str:
        """As the journal has it, among the ids of containers."""
        return f"{self.kind}:{self.ref}"


@dataclass(frozen=True, slots=True)
class Baseline:
    """What an engine had before a job: the ids that the selectors matched at ``taken_ns`` by the engine's own clock.

    ``taken_ns`` is whole seconds, rounded down. ``identity`` is ``identity_of`` the engine.
    """

    identity: str
    taken_ns: int
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunScope:
    """What a teardown removes: not what is old, but what one run of a job made.

    ``label`` is the key and the value that this run's containers carry, ``baseline`` what was there before it. At
    least one of them is given.
    """

    label: tuple[str, str] | None = None
    baseline: Baseline | None = None
