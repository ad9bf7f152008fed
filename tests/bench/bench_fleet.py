"""The bench's fleet: one real sshd with a scripted engine behind it for each name in the inventory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.scripted_engines import STALE, host_name
from tests.lab.box import Box
from tests.lab.process import Daemon, remove_tree, wait_for


@dataclass(frozen=True, slots=True)
class BenchFleet:
    """``hosts`` are names of one box; each has its own engine there, on ``directory/NAME.sock``."""

    directory: Path
    port: int
    hosts: tuple[str, ...]
    key: Path

    @property
    def known_hosts(self) -> Path:
        """A known_hosts file with the box's key."""
        return self.directory / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        """A configuration for ssh(1): every name, with the variable that selects its engine for docker on the box."""
        return self.directory / "ssh_config"

    @property
    def stale(self) -> int:
        """The number of stale containers on all hosts: what every tool must find."""
        return STALE * len(self.hosts)

    def inventory(self, count: int | None = None, port: int | None = None) -> Path:
        """Write an Ansible inventory of the first ``count`` hosts, reached over ``port``. Return its path."""
        port, hosts = port or self.port, self.hosts[:count]
        path = self.directory / f"inventory-{len(hosts)}-{port}.yml"
        lines = [
            "all:",
            "  vars:",
            "    ansible_host: 127.0.0.1",
            f"    ansible_port: {port}",
            "    ansible_user: root",
            f"    ansible_ssh_private_key_file: {self.key}",
            "  hosts:",
        ]
        lines += [f"    {name}: {{fleetsweep_engine: 'unix://{self.directory}/{name}.sock'}}" for name in hosts]
        path.write_text("\n".join(lines) + "\n")
        return path

    def options(self, count: int | None = None, port: int | None = None) -> list[str]:
        """Return the options with which fleetsweep reaches the first ``count`` hosts."""
        return [
            *("-i", str(self.inventory(count, port)), "--known-hosts", str(self.known_hosts)),
            *("--state-dir", str(self.directory / "state")),
        ]

    def know(self, port: int, box: Box) -> None:
        """Add another port of the same box to known_hosts."""
        with self.known_hosts.open("a") as known:
            known.write(box.known_hosts_line.replace(f":{self.port} ", f":{port} "))


@contextmanager
def bench_fleet(count: int, prefix: Sequence[str] = ()) -> Iterator[tuple[BenchFleet, Box]]:
    """Run a fleet of ``count`` hosts while the block runs. ``prefix`` is a command to run sshd and the engines."""
    directory = Path(tempfile.mkdtemp(prefix="fsb-", dir="/tmp"))
    key = directory / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    box = Box("box", directory / "b", key)
    home = directory / "home"
    home.mkdir()
    box.sshd_prefix = [*prefix]
    # An empty home, so that root's shell profile does not slow the peers.
    box.sshd_lines = ["AcceptEnv DOCKER_HOST", "Subsystem sftp internal-sftp", f"SetEnv HOME={home}"]
    engines = Daemon(
        [*prefix, sys.executable, "-m", "tests.bench.scripted_engines", str(directory), str(count)],
        directory / "log",
    )
    try:
        box.start_sshd()
        wait_for(lambda: (directory / "ready").exists() or not engines.alive(), "the engines listening")
        if not engines.alive():
            raise RuntimeError(f"the engines ended: {engines.tail()}")
        found = BenchFleet(directory, box.port, tuple(host_name(number + 1) for number in range(count)), key)
        found.known_hosts.write_text(box.known_hosts_line)
        found.ssh_config.write_text(_ssh_config(found))
        yield found, box
    finally:
        engines.stop()
        box.stop()
        remove_tree(directory)


def _ssh_config(found: BenchFleet) -> str:
    lines = [
        line
        for name in found.hosts
        for line in (f"Host {name}", f"  SetEnv DOCKER_HOST=unix://{found.directory}/{name}.sock")
    ]
    lines += [
        "Host *",
        "  HostName 127.0.0.1",
        f"  Port {found.port}",
        "  User root",
        f"  IdentityFile {found.key}",
        "  IdentitiesOnly yes",
        f"  UserKnownHostsFile {found.known_hosts}",
        "  GlobalKnownHostsFile none",
        "  StrictHostKeyChecking yes",
        "  LogLevel ERROR",
    ]
    return "\n".join(lines) + "\n"
