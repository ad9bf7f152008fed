"""What the journal has of a fleet over a period: the content of the HTML page.

Times are nanoseconds since the Unix epoch, by the controller's clock. Days are of UTC and counted from the epoch. A
value that is None is not known, which is not the same as 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DAY_NS: Final = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Period:
    """The days that are shown, from ``first_day`` to ``last_day``, and the runs that started in them.

    ``unended`` counts the runs without an end, ``nonzero`` those whose exit code is neither 0 nor 6. ``interval_ns`` is
    the median time between the starts of two runs; None with fewer than four runs.
    """

    first_day: int
    last_day: int
    now_ns: int
    runs: int
    unended: int
    nonzero: int
    interval_ns: int | None

    @property
    def days(self) -> range:
        """Each day that is shown."""
        return range(self.first_day, self.last_day + 1)


@dataclass(frozen=True, slots=True)
class HostDay:
    """One host on one day: its worst status, and the most stale containers that one run found.

    ``stale`` is None if no run surveyed the host. ``guards`` counts the runs in which a guard tripped.
    """

    status: str
    stale: int | None
    oldest_s: int | None
    guards: int

    @property
    def is_quiet(self) -> bool:
        """Whether the host was surveyed each time, and nothing was stale."""
        return self.status == "ok" and self.stale == 0


@dataclass(frozen=True, slots=True)
class FleetDay:
    """The fleet on one day.

    ``surveyed`` counts the hosts that a run surveyed, ``missed`` those that runs tried to survey and did not. ``stale``
    is the sum over the hosts of ``HostDay.stale``, ``oldest_s`` their greatest age, both None if none was surveyed.
    ``leaks`` counts containers that were first seen stale, ``outcomes`` the removals by their outcome.
    """

    day: int
    runs: int
    surveyed: int
    missed: int
    stale: int | None
    oldest_s: int | None
    leaks: int
    guards: int
    outcomes: dict[str, int]


@dataclass(frozen=True, slots=True)
class HostNow:
    """A host's newest row, of the run ``run`` that started at ``asked_ns``, and when it was last surveyed, if ever."""

    name: str
    asked_ns: int
    status: str
    guard: str | None
    phase: str | None
    kind: str | None
    error: str | None
    run: str
    surveyed_ns: int | None
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class LeaksNow:
    """The stale containers that were there when a host was last looked at, at ``seen_ns``, and the oldest of them.

    ``sweeps`` is the most sweeps that one of them outlived.
    """

    host: str
    count: int
    sweeps: int
    seen_ns: int
    stale_since_ns: int
    name: str
    image: str


@dataclass(frozen=True, slots=True)
class Leaker:
    """What leaked: an image, a label or a host.

    ``leaks`` counts the containers that were first seen stale in the period, ``left`` those that are still there.
    ``orphan_s`` is the sum of the seconds from going stale to going, as far as they are in the period. ``new`` is True
    if nothing of it leaked before the period, and runs of that time are recorded.
    """

    what: str
    leaks: int
    left: int
    hosts: int
    orphan_s: int
    first_seen_ns: int
    new: bool = False


@dataclass(frozen=True, slots=True)
class Leakers:
    """The greatest leakers of one sort, and how many there are of it."""

    top: tuple[Leaker, ...]
    total: int


@dataclass(frozen=True, slots=True)
class GuardCount:
    """How often one guard tripped: rows of hosts, distinct hosts, and the last time."""

    name: str
    rows: int
    hosts: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class RemovalRow:
    """A removal with its reason. ``outcome`` is what a later run found, where one settled it, or ``open``."""

    at_ns: int
    run: str
    host: str
    container_id: str
    name: str
    image: str | None
    reason: str | None
    age_s: int | None
    outcome: str
    error: str | None


@dataclass(frozen=True, slots=True)
class RunRow:
    """One host in the last run. The counts are None if the host was not surveyed."""

    name: str
    status: str
    containers: int | None
    matched: int | None
    stale: int | None
    removed: int | None
    oldest_s: int | None
    duration_s: float
    guard: str | None
    error: str | None
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest audit or sweep that ended. ``head`` is the first part of its stored report, if that is kept."""

    id: str
    command: str
    dry_run: bool
    started_ns: int
    finished_ns: int
    exit_code: int
    rows: tuple[RunRow, ...]
    removals: tuple[RemovalRow, ...]
    head: bytes | None


@dataclass(frozen=True, slots=True)
class UnendedRun:
    """The newest run, if it has not ended."""

    id: str
    started_ns: int


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that the page shows. ``cells`` are by host and day; a day without a row is missing in them."""

    period: Period
    cells: dict[str, dict[int, HostDay]]
    days: tuple[FleetDay, ...]
    hosts: tuple[HostNow, ...]
    leaks: tuple[LeaksNow, ...]
    open_intents: tuple[RemovalRow, ...]
    by_image: Leakers
    by_attribute: Leakers
    by_host: Leakers
    guards: tuple[GuardCount, ...]
    outcomes: dict[str, int]
    removals: tuple[RemovalRow, ...]
    last_run: LastRun | None
    unended: UnendedRun | None
