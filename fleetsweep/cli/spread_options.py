"""The options for how a run's work on many hosts is spread."""

from __future__ import annotations

from dataclasses import dataclass, field

from fleetsweep.cli.command import option
from fleetsweep.cli.params import Processes


@dataclass(frozen=True, slots=True)
class SpreadOptions:
    """How a run's work is spread; None is over threads alone."""

    processes: str | None = field(
        default=None,
        metadata=option(
            "Connection",
            "--processes",
            type=Processes(),
            metavar="N|auto",
            help="Share the hosts among N worker processes; auto: one a core, for a hundred hosts or more.",
        ),
    )
