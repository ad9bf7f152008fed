"""What the journal has of a run's hosts from before it. Times are nanoseconds since the Unix epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


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
