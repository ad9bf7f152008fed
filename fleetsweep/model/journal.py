"""What the journal remembers. Times are nanoseconds since the Unix epoch, by the controller's clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run and the sums of its hosts' rows.

    One that was killed, or still runs, has no ``finished_ns``, no ``exit_code`` and no rows: its ``removed`` counts
    what it wrote down of each removal. ``unknown`` counts removals that it did not learn the outcome of.
    """

    id: str
    command: str
    dry_run: bool
    started_ns: int
    finished_ns: int | None
    exit_code: int | None
    hosts: int
    ok: int
    stale: int
    removed: int
    unknown: int


@dataclass(frozen=True, slots=True)
class PastHost:
    """One host's row. ``trouble`` is what its error or the guard in its way said; ``skew_s`` None if it had no look."""

    name: str
    status: str
    containers: int
    matched: int
    stale: int
    removed: int
    skew_s: float | None
    duration_s: float
    trouble: str | None


@dataclass(frozen=True, slots=True)
class PastRemoval:
    """What a run meant to remove and what came of it.

    ``container_id`` is ``Resource.id`` for a volume or network. ``outcome`` is None until it is known; ``settled`` is
    what ``settled_run`` found later of one that was not.
    """

    host: str
    container_id: str
    name: str
    at_ns: int
    outcome: str | None
    error: str | None
    settled: str | None
    settled_run: str | None


@dataclass(frozen=True, slots=True)
class Record:
    """All that is remembered of one run: its hosts by name, its removals as they were asked for."""

    run: PastRun
    hosts: tuple[PastHost, ...]
    removals: tuple[PastRemoval, ...]


@dataclass(frozen=True, slots=True)
class LastSuccesses:
    """When a run of one command last ended with exit code 0, and by host when a run that looked at it ended."""

    run_ns: int | None
    hosts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Hold:
    """A container that ``by`` wants left alone until ``until_ns``, and why."""

    container_id: str
    host: str
    name: str
    reason: str
    by: str
    since_ns: int
    until_ns: int

    @property
    def words(self) -> str:
        """Who, until when, and why."""
        until = datetime.fromtimestamp(self.until_ns // 10**9, UTC)
        return f"held by {self.by} until {until:%Y-%m-%dT%H:%M:%SZ}: {self.reason}"


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """A removal that an earlier run meant to make and whose outcome it did not live, or manage, to know.

    ``endpoint`` is ``Host.endpoint`` as it was then; ``at_ns`` the controller's clock. ``identity`` is
    ``identity_of`` the engine that it was planned on; empty in an intent of a version that did not record it.
    """

    number: int
    run_id: str
    host: str
    endpoint: str
    container_id: str
    name: str
    at_ns: int
    identity: str = ""


class SettledAs(StrEnum):
    """What a later look found of an open intent's container."""

    GONE = "gone"
    STILL_THERE = "still-there"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Settlement:
    """An open intent and what this run found of it. ``final`` is False where its engine could not be looked at."""

    intent: OpenIntent
    outcome: SettledAs
    final: bool = True
