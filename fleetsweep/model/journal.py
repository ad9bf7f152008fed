"""Records of the journal. Times are nanoseconds since the Unix epoch, by the controller's clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run and the sums of its hosts' rows.

    A run that was killed, or is still running, has no ``finished_ns``, ``exit_code`` or rows: its ``removed`` counts
    the outcomes it recorded. ``unknown`` counts removals without a known outcome.
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
    """One host's row. ``trouble`` is the message of its error or guard; ``skew_s`` is None if it was not surveyed."""

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
    """A removal that a run intended, and its outcome.

    ``container_id`` is ``Resource.id`` for a volume or network. ``outcome`` is None while it is unknown; ``settled`` is
    what the later run ``settled_run`` found then. The fields from ``image`` on are the decision's; they are empty for a
    volume or network, and for a removal that an older version recorded.
    """

    host: str
    container_id: str
    name: str
    at_ns: int
    outcome: str | None
    error: str | None
    settled: str | None
    settled_run: str | None
    run: str = ""
    image: str | None = None
    reason: str | None = None
    age_s: int | None = None
    age_from: str | None = None
    matched_by: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """Everything recorded of one run: its hosts by name, its removals in the order of their intents."""

    run: PastRun
    hosts: tuple[PastHost, ...]
    removals: tuple[PastRemoval, ...]


@dataclass(frozen=True, slots=True)
class LastSuccesses:
    """When a run of one command last ended with exit code 0, and when one last surveyed a host without fault or guard.

    ``seen`` are the hosts that any run ever surveyed. It and ``hosts`` have only hosts that were asked for.
    """

    run_ns: int | None
    hosts: Mapping[str, int]
    seen: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Counters:
    """What the runs of one command added up to since the journal began, by the names in its table ``counter``.

    ``hosts`` are by name and then by host. Leaks are those that runs of any command saw.
    """

    runs: Mapping[str, int]
    hosts: Mapping[str, Mapping[str, int]]


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


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """A removal that an earlier run intended without learning its outcome, for example because it was killed.

    ``endpoint`` is ``Host.endpoint`` as it was then; ``at_ns`` the controller's clock. ``identity`` is
    ``identity_of`` the engine that it was planned on; empty if an older version recorded the intent.
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
    """What a later survey found of an open intent's container."""

    GONE = "gone"
    STILL_THERE = "still-there"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Settlement:
    """An open intent and what this run found of it. ``final`` is False if its engine could not be surveyed."""

    intent: OpenIntent
    outcome: SettledAs
    final: bool = True


@dataclass(frozen=True, slots=True)
class LastMatch:
    """The last audit or sweep that matched a container of one host, at ``at_ns``, and how many ``runs`` came since.

    ``others`` is the most containers that no selector matched in the runs of that time.
    """

    at_ns: int
    others: int
    runs: int


@dataclass(frozen=True, slots=True)
class OpenLeak:
    """How many runs saw one container stale, and how many of them were sweeps that did not remove it."""

    runs: int
    sweeps: int


@dataclass(frozen=True, slots=True)
class PastOfHosts:
    """What the journal has of a run's hosts from before it: what warnings follow from.

    ``matches`` are of hosts that match nothing now. ``leaks``, by host and container id, are those that were stale for
    long. ``guarded`` counts the latest runs of this command in a row in which a guard stopped the host.
    """

    matches: Mapping[str, LastMatch]
    leaks: Mapping[str, Mapping[str, OpenLeak]]
    guarded: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class JournalSize:
    """The bytes of the journal's files, of the compressed reports and of the evidence in them, and what is counted."""

    path: str
    total: int
    reports: int
    evidence: int
    runs: int
    leaks: int
    first_run_ns: int | None


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted of what ended before ``before_ns``, and the bytes of the journal's files.

    ``kept_runs`` are older, but have an open removal or one of a held container.
    """

    before_ns: int
    runs: int
    leaks: int
    holds: int
    kept_runs: int
    bytes_before: int
    bytes_after: int
