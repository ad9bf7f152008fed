"""The outcome of a removal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """The outcome of one planned removal."""

    REMOVED = "removed"
    GONE = "gone"
    CHANGED = "changed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Removal:
    """The outcome of one intent. ``container_id`` is ``Resource.id`` for a volume or network."""

    container_id: str
    outcome: Outcome
    error: str | None = None
