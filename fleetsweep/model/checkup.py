"""The result of checking one host: how far it was reached, and what was observed on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fleetsweep.errors import Phase
from fleetsweep.model.decision import Guard
from fleetsweep.model.host import Host
from fleetsweep.model.survey import Engine, Fault, Status


@dataclass(frozen=True, slots=True)
class Checkup:
    """How far one host was reached, what was observed at each phase, and the command to run if it failed.

    ``seen`` has the phases that succeeded. ``engine``, ``skew_s`` (engine time minus controller time) and
    ``round_trip_s`` are None if the engine was not reached.
    """

    host: Host
    status: Status
    seen: Mapping[Phase, Mapping[str, str]]
    engine: Engine | None = None
    containers: int | None = None
    skew_s: float | None = None
    round_trip_s: float | None = None
    fault: Fault | None = None
    guard: Guard | None = None
    command: str = ""
    duration_s: float = 0.0
