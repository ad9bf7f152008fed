"""The report of a run, which is printed and stored."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from fleetsweep.model.decision import Guard, HostPlan
from fleetsweep.model.host import Host
from fleetsweep.model.outcome import Removal
from fleetsweep.model.survey import Fault, Status

if TYPE_CHECKING:
    from fleetsweep.model.intent import Settlement


@dataclass(frozen=True, slots=True)
class Silence:
    """A host whose last survey, at ``since_ns``, is more than ``limit_s`` ago; None if the journal has none."""

    since_ns: int | None
    limit_s: float


@dataclass(frozen=True, slots=True)
class HostReport:
    """One row: a host's plan or fault, and what was done about it. ``settled`` are earlier runs' open intents.

    ``removals`` are of containers, ``resources`` of volumes and networks.
    """

    host: Host
    status: Status
    plan: HostPlan | None = None
    fault: Fault | None = None
    guard: Guard | None = None
    removals: tuple[Removal, ...] = ()
    duration_s: float = 0.0
    settled: tuple[Settlement, ...] = ()
    resources: tuple[Removal, ...] = ()
    silence: Silence | None = None

    @property
    def guarded_by(self) -> Guard | None:
        """The guard that stops this one host, if any."""
        return self.guard or (self.plan.guard if self.plan else None)


class WarningKind(StrEnum):
    """What makes a run useless though nothing failed. The words are stable: reports and metrics have them."""

    MATCHES_NOTHING = "matches-nothing"
    NOT_REMOVED = "not-removed"
    GUARD_REPEATS = "guard-repeats"


@dataclass(frozen=True, slots=True)
class FleetWarning:
    """What went on for ``runs`` runs in a row, this one included. It does not change the exit code.

    ``host`` is the host's name, None for the whole fleet. No text is from a box.
    """

    kind: WarningKind
    host: str | None
    message: str
    runs: int
    remedy: str


@dataclass(frozen=True, slots=True)
class FleetReport:
    """The report of a whole run. Times are nanoseconds since the Unix epoch.

    ``warnings`` are the fleet's first, then the hosts' in inventory order.
    """

    run_id: str
    command: str
    dry_run: bool
    started_ns: int
    finished_ns: int
    exit_code: int
    hosts: tuple[HostReport, ...]
    guard: Guard | None = None
    warnings: tuple[FleetWarning, ...] = ()
