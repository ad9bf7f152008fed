"""Real sshds, scripted engines, and an inventory of host names that combine them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.lab.box import Box
from tests.lab.scripted_engine import ScriptedEngine
from tests.lab.tcp_link import Link, Shape, whole

Entry = dict[str, object]


class SshdFleet:
    """Sshds that accept one key, and an inventory for them. Everything ends with ``open_sshd_fleet``."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self.key = directory / "id"
        self.hosts: dict[str, Entry] = {}
        self.ended = threading.Event()
        self._stack = stack
        stack.callback(self.ended.set)
        self._known: list[str] = []
        self._count = 0
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)

    def sshd(self, *lines: str) -> Box:
        """Start a real sshd with these lines in its configuration."""
        self._count += 1
        box = Box(f"b{self._count}", self.directory / f"b{self._count}", self.key)
        box.sshd_lines = list(lines)
        self._stack.callback(box.stop)
        box.start_sshd()
        return box

    def engine(self, engine: ScriptedEngine | None = None) -> str:
        """Serve a scripted engine, by default one without containers. Return its URL."""
        self._count += 1
        return self._stack.enter_context((engine or ScriptedEngine([])).serve(self.directory / f"e{self._count}"))

    def link(self, box: Box, *, up: Shape = whole, down: Shape = whole) -> Link:
        """Open a link to a box's sshd."""
        return self._stack.enter_context(Link(box.port, up=up, down=down).open())

    def host(self, name: str, box: Box | None, url: str, port: int | None = None, address: str = "127.0.0.1") -> None:
        """Add a host to the inventory; ``port`` replaces the box's own, for instance by a link's."""
        number = port or (box.port if box else 22)
        self.hosts[name] = {"ansible_host": address, "ansible_port": number, "fleetsweep_engine": url}
        if box is not None:
            kind, key = (box.directory / "host_key.pub").read_text().split()[:2]
            self._known.append(f"[{address}]:{number} {kind} {key}")

    def options(self) -> list[str]:
        """Write the inventory and return fleetsweep's options for it."""
        inventory, known = self.directory / "inventory.yml", self.directory / "known_hosts"
        shared = {"ansible_user": "root", "ansible_ssh_private_key_file": str(self.key)}
        lines = ["all:", "  vars:", *(f"    {key}: {value}" for key, value in shared.items()), "  hosts:"]
        for name, entry in self.hosts.items():
            lines += [f"    {name}:", *(f"      {key}: {value}" for key, value in entry.items())]
        inventory.write_text("\n".join(lines) + "\n")
        config = self.directory / "ssh_config"
        config.touch()
        known.write_text("\n".join(dict.fromkeys(self._known)) + "\n")
        state = ["--state-dir", str(self.directory / "state")]
        return ["-i", str(inventory), "--known-hosts", str(known), *state, "--ssh-config", str(config)]


@contextmanager
def open_sshd_fleet() -> Iterator[SshdFleet]:
    """A fleet in a directory whose path is short enough for a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="fsg-", dir="/tmp") as directory, ExitStack() as stack:
        yield SshdFleet(Path(directory), stack)


def sessions(box: Box) -> list[int]:
    """Return the pids of the processes of a box's connections, children first."""
    listener = int((box.directory / "sshd.pid").read_text())
    return list(reversed(_below(listener)))


def _below(pid: int) -> list[int]:
    found: list[int] = []
    for child in children(pid):
        found += [child, *_below(child)]
    return found


def children(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found


@contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """Stop those of the processes that exist with SIGSTOP while the block runs; then send them SIGCONT.

    The process that sshd authenticates in ends at about the time at which the log-in succeeds.
    """
    _signal_all(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal_all(pids, signal.SIGCONT)


def _signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
