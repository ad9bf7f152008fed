"""The options for how a run's work on many hosts is spread."""

from __future__ import annotations

from dataclasses import dataclass, field

from fleetsweep.cli.command import option
from fleetsweep.cli.params import FILE, Processes


@dataclass(frozen=True, slots=True)
class SpreadOptions:
    """How a run's work is spread; by default over threads alone."""

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
    scheduler: str | None = field(
        default=None,
        metadata=option(
            "Connection",
            "--scheduler",
            metavar="ADDRESS",
            help="Have each host worked on by the Dask workers of its fleetsweep_zone.",
        ),
    )
    scheduler_tls_ca: str | None = field(
        default=None,
        metadata=option(
            "Connection",
            "--scheduler-tls-ca",
            type=FILE,
            help="Trust a scheduler with a certificate in this PEM file, or signed by one in it.",
        ),
    )
    scheduler_tls_cert: str | None = field(
        default=None,
        metadata=option("Connection", "--scheduler-tls-cert", type=FILE, help="Present this certificate to it."),
    )
    scheduler_tls_key: str | None = field(
        default=None,
        metadata=option("Connection", "--scheduler-tls-key", type=FILE, help="The key of that certificate."),
    )


@dataclass(frozen=True, slots=True)
class ZoneOptions:
    """Whose workers a unit starts."""

    zone: str | None = field(
        default=None,
        metadata=option("Schedule", "--zone", metavar="NAME", help="The fleetsweep_zone of a dask-worker's boxes."),
    )
