"""The result of surveying one host: its engine and containers, or why there are none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from fleetsweep.errors import FaultKind, Phase
from fleetsweep.model.container import Container
from fleetsweep.model.host import Host

if TYPE_CHECKING:
    from fleetsweep.model.run_scope import Resource

PhaseObserver = Callable[[Phase, Mapping[str, str]], None]
"""Called with what was observed at each phase of reaching a host, as soon as the phase succeeds."""


def ignore_phase(phase: Phase, seen: Mapping[str, str]) -> None:
    """An observer that does nothing."""


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine that was reached: ``kind`` is docker or podman, ``via`` the route to it.

    ``id`` is the engine's own identity from ``/info``, None if it is not known. ``host_key`` is the type
    and fingerprint of the verified SSH host key of the box; None if no SSH was needed.
    """

    kind: str
    server: str
    api: str
    via: str
    id: str | None = None
    host_key: str | None = None

    @property
    def lasting_id(self) -> str | None:
        """The engine's own id; None if it has no lasting one. Podman makes one up at each call."""
        return self.id if self.kind == "docker" else None


@dataclass(frozen=True, slots=True)
class Survey:
    """One engine's containers, and the clock they are judged by.

    ``now_ns`` is the engine's own clock (the ``Date`` header of its list, so rounded down to a second).
    ``skew_s`` is engine time minus controller time. ``duration_s`` is what the survey took.
    """

    host: Host
    engine: Engine
    now_ns: int
    skew_s: float
    containers: tuple[Container, ...]
    duration_s: float
    resources: tuple[Resource, ...] = ()


class Status(StrEnum):
    """The status of one host in the report."""

    OK = "ok"
    UNREACHABLE = "unreachable"
    GUARDED = "guarded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a host has no survey, or no complete sweep. ``bug`` marks a fault of fleetsweep's own."""

    status: Status
    phase: Phase | None
    kind: FaultKind
    message: str
    remedy: str = ""
    bug: bool = False

    @classmethod
    def of_bug(cls, error: Exception) -> Fault:
        """Return the fault of a host whose work ended in a bug of fleetsweep's own."""
        message = f"{type(error).__name__}: {error}"
        remedy = "this is a bug in fleetsweep: please report the traceback above"
        return cls(Status.FAILED, None, FaultKind.BUG, message, remedy, bug=True)


@dataclass(frozen=True, slots=True)
class FailedSurvey:
    """A host that could not be surveyed."""

    host: Host
    fault: Fault
    duration_s: float
