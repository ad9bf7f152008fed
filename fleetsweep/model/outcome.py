"""What became of a removal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What became of one planned removal."""

    REMOVED = "removed"
    GONE = "gone"
    CHANGED = "changed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Removal:
    """The outcome of one intent. ``container_id`` is ``Resource.id`` where a volume or network was to go."""

    container_id: str
    outcome: Outcome
    error: str | None = None
