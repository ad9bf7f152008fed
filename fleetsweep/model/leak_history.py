"""What the journal has of leaks over many runs. Times are nanoseconds since the Unix epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from fleetsweep.model.journal import PastRemoval


@dataclass(frozen=True, slots=True)
class PastLeak:
    """A container that runs saw stale.

    ``runs`` counts the runs that saw it, ``sweeps`` those of them that could have removed it and did not.
    ``first_run`` and ``last_run`` are ids; None where that run is no longer recorded. ``ended_as`` is the outcome of
    its removal, ``gone``, or ``kept``; None while it is there.
    """

    host: str
    container_id: str
    name: str
    image: str
    reason: str
    attributes: Mapping[str, str]
    created_ns: int
    stale_since_ns: int
    first_seen_ns: int
    last_seen_ns: int
    runs: int
    sweeps: int
    ended_ns: int | None
    ended_as: str | None
    first_run: str | None = None
    last_run: str | None = None


@dataclass(frozen=True, slots=True)
class PastContainer:
    """Everything recorded of one container: as a leak of each host name that it was seen under, and its removals."""

    id: str
    name: str
    leaks: tuple[PastLeak, ...]
    removals: tuple[PastRemoval, ...]

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names of its hosts."""
        names = [*(each.host for each in self.leaks), *(each.host for each in self.removals)]
        return tuple(dict.fromkeys(names))

    @property
    def last_ns(self) -> int:
        """When it was last seen stale, or its removal was last begun."""
        return max(*(leak.last_seen_ns for leak in self.leaks), *(each.at_ns for each in self.removals), 0, 0)


class Look(NamedTuple):
    """That a run surveyed a host. ``run`` is the run's number in the journal."""

    run: int
    at_ns: int
    host: str


@dataclass(frozen=True, slots=True)
class LeakHistory:
    """The facts of one span of time: ``since_ns`` to ``until_ns``.

    ``leaks`` are all that were seen until its end, ``removals`` the sweeps' that succeeded in it. ``hosts`` were
    selected by a run in it. ``last_looks`` has when a run last surveyed each host, whenever that was. ``recorded`` is
    False for a journal of an older version, which has no leaks; ``first_run_ns`` is when the oldest run began.
    """

    since_ns: int
    until_ns: int
    leaks: tuple[PastLeak, ...] = ()
    removals: tuple[PastRemoval, ...] = ()
    looks: tuple[Look, ...] = ()
    hosts: tuple[str, ...] = ()
    last_looks: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    first_run_ns: int | None = None
    recorded: bool = True
