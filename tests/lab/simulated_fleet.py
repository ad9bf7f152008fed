"""A simulated fleet: seeded boxes as scripted engines behind several real sshds, and an inventory of them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.lab.box import Box
from tests.lab.process import Daemon, wait_for
from tests.lab.simulated_boxes import SimulatedBox, Trouble, simulated_box

BOXES_A_SSHD: Final = 625
"""So few that no listen queue overflows with 256 connections at once."""

BOXES_A_PROCESS: Final = 5000
"""Listening sockets of one process: a limit of 20,000 descriptors leaves room for as many connections."""

NO_SSHD: Final = 9
"""The discard port, where nothing listens."""


@dataclass(frozen=True, slots=True)
class SimulatedFleet:
    """``boxes`` in the order of the inventory. ``sshds`` share them."""

    directory: Path
    boxes: tuple[SimulatedBox, ...]
    sshds: tuple[Box, ...]
    key: Path

    def inventory(self, count: int | None = None, *, zones: bool = False) -> Path:
        """Write an inventory of the first ``count`` boxes, by default of all, and return its path."""
        path = self.directory / f"inventory-{count or 'all'}{'-zones' if zones else ''}.yml"
        lines = [
            "all:",
            "  vars:",
            "    ansible_host: 127.0.0.1",
            "    ansible_user: root",
            f"    ansible_ssh_private_key_file: {self.key}",
            "  hosts:",
        ]
        for box in self.boxes[:count]:
            refused = box.trouble is Trouble.REFUSED
            port = NO_SSHD if refused else self.sshds[box.number % len(self.sshds)].port
            zone = f", fleetsweep_zone: {box.zone}" if zones else ""
            url = f"unix://{box.socket(self.directory)}"
            lines.append(f"    {box.name}: {{ansible_port: {port}, fleetsweep_engine: '{url}'{zone}}}")
        path.write_text("\n".join(lines) + "\n")
        return path

    def options(self, count: int | None = None, *, zones: bool = False, state: str = "state") -> list[str]:
        """Return fleetsweep's options for the first ``count`` boxes."""
        known, config = self.directory / "known_hosts", self.directory / "ssh_config"
        known.write_text("".join(box.known_hosts_line for box in self.sshds))
        config.touch()
        inventory = str(self.inventory(count, zones=zones))
        files = ["--known-hosts", str(known), "--ssh-config", str(config)]
        return ["-i", inventory, *files, "--state-dir", str(self.directory / state)]

    def deletes(self) -> Counter[str]:
        """Return how often the removal of each container was requested, by the engines' own log."""
        return Counter((self.directory / "deletes").read_text().split())


@contextmanager
def simulated_fleet(count: int, seed: int = 1) -> Iterator[SimulatedFleet]:
    """Run a fleet of ``count`` boxes while the block runs."""
    with (
        tempfile.TemporaryDirectory(prefix="fsx-", dir="/tmp", ignore_cleanup_errors=True) as name,
        ExitStack() as stack,
    ):
        directory = Path(name)
        key = directory / "id"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        sshds = []
        for number in range(-(-count // BOXES_A_SSHD) + 1):
            box = Box(f"sshd-{number}", directory / f"s{number}", key)
            stack.callback(box.stop)
            box.start_sshd()
            sshds.append(box)
        for first in range(0, count, BOXES_A_PROCESS):
            last = min(count, first + BOXES_A_PROCESS)
            words = [str(directory), str(seed), str(first), str(last)]
            engines = Daemon([sys.executable, "-m", "tests.lab.simulated_boxes", *words], directory / "engines.log")
            stack.callback(engines.stop)
            _wait_until_ready(engines, directory / f"ready-{first}")
        boxes = tuple(simulated_box(seed, number) for number in range(count))
        yield SimulatedFleet(directory, boxes, tuple(sshds), key)


def _wait_until_ready(engines: Daemon, ready: Path) -> None:
    wait_for(lambda: ready.exists() or not engines.alive(), "the engines listening", 60)
    if not engines.alive():
        raise RuntimeError(f"the engines ended: {engines.tail()}")
