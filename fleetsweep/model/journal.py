"""Records of the journal as it is read. Times are nanoseconds since the Unix epoch, by the controller's clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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
    """One host's row. ``trouble`` is the message of its error or guard; ``skew_s`` is None if it was not surveyed.

    ``endpoint`` is ``Host.endpoint`` as it was then.
    """

    name: str
    status: str
    containers: int
    matched: int
    stale: int
    removed: int
    skew_s: float | None
    duration_s: float
    trouble: str | None
    endpoint: str = ""


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
