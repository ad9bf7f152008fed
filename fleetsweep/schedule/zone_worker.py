"""A unit for the Dask workers of one zone."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleetsweep.schedule import quoting
from fleetsweep.schedule.account import Needs
from fleetsweep.schedule.render import File, fill

SLICES: Final = 16
"""Tasks that a worker process takes at once. Each surveys up to 16 hosts."""

_HOMES: Final = ("/home", "/root", "/run/user")


@dataclass(frozen=True, slots=True)
class ZoneWorker:
    """``scheduler`` is its address, ``tls`` the paths of the authority, certificate and key; None without TLS."""

    zone: str
    scheduler: str
    user: str
    tls: tuple[str, str, str] | None

    @property
    def command(self) -> tuple[str, ...]:
        """The command line, without the worker's name and directory."""
        flags = ("--tls-ca-file", "--tls-cert", "--tls-key")
        return (
            *(sys.executable, "-m", "distributed.cli.dask_worker", self.scheduler),
            *(word for pair in zip(flags, self.tls or (), strict=False) for word in pair),
            *("--no-nanny", "--no-dashboard", "--memory-limit", "0", "--death-timeout", "60"),
            *("--nthreads", str(SLICES), "--resources", f"fleetsweep-zone.{self.zone}={SLICES}"),
        )

    @property
    def needs(self) -> Needs:
        """What the account needs. The inventory may name other keys and known_hosts files, which are not here."""
        return Needs(self.command[:3], reads=self.tls or (), default_keys=True, default_known_hosts=True)


def render_zone_worker(worker: ZoneWorker) -> File:
    """Return the unit. Raises UsageError for a value that it can't hold."""
    for word in worker.command:
        quoting.check_line("the worker's command", word)
    values = {
        "zone": worker.zone,
        "user": quoting.check_account(worker.user),
        "command": quoting.systemd_words(worker.command),
        "tls": worker.tls is not None,
        "home": any(Path(word).is_relative_to(home) for word in worker.command for home in _HOMES),
    }
    return File(f"fleetsweep-zone-{worker.zone}@.service", fill("dask-worker.service", values))
