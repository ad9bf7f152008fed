"""A container that somebody wants kept. Times are nanoseconds since the Unix epoch, by the controller's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """A container that ``by`` wants kept until ``until_ns``, and the reason."""

    container_id: str
    host: str
    name: str
    reason: str
    by: str
    since_ns: int
    until_ns: int

    @property
    def words(self) -> str:
        """A sentence for operators: who holds it, until when, and why."""
        until = datetime.fromtimestamp(self.until_ns // 10**9, UTC)
        return f"held by {self.by} until {until:%Y-%m-%dT%H:%M:%SZ}: {self.reason}"
