"""A fleet: N boxes with an Ansible inventory, a known_hosts file and a key."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from tests.lab.box import Box
from tests.lab.process import remove_tree

PACKAGES = ("docker.io", "openssh-server", "busybox-static", "iproute2")

TEST_PACKAGES = ("podman", "sudo", "systemd", "prometheus", "prometheus-pushgateway", "faketime", "haproxy", "nginx")
"""Needed by some tests only, not by the demo or the bench. Of systemd only systemd-analyze runs."""

BROWSER_PACKAGES = ("chromium", "npm")
"""Needed by the tests of the HTML page, and not packaged everywhere. npm installs axe-core."""

BROWSERS = ("chromium", "google-chrome")
"""Either of these programs, the preferred one first."""

AXE_PROJECT = Path(__file__).parents[1] / "browser"
"""The npm project whose lock file pins axe-core."""

AXE = AXE_PROJECT / "node_modules" / "axe-core" / "axe.min.js"


class LabUnavailable(RuntimeError):
    """This machine can't run the lab; the message names what is missing and how to install it."""


def missing(*, for_tests: bool = False) -> list[str]:
    """Return what this machine lacks for the lab, or for every test on it; empty if nothing."""
    lacking = [] if os.geteuid() == 0 else ["root (run as root, or with sudo)"]
    wanted = [("dockerd", "docker.io"), ("/usr/sbin/sshd", "openssh-server")]
    if for_tests:
        wanted += [("podman", "podman"), ("sudo", "sudo"), ("systemd-analyze", "systemd"), ("promtool", "prometheus")]
        wanted += [("prometheus-pushgateway", "prometheus-pushgateway"), ("faketime", "faketime")]
        wanted += [("haproxy", "haproxy"), ("nginx", "nginx"), ("npm", "npm")]
    for program, package in wanted:
        if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
            lacking.append(f"{program} (apt-get install --no-install-recommends {package})")
    if not Path("/bin/busybox").exists():
        lacking.append("/bin/busybox (apt-get install --no-install-recommends busybox-static)")
    if for_tests and not any(map(shutil.which, BROWSERS)):
        lacking.append("chromium (apt-get install --no-install-recommends chromium)")
    if for_tests and not AXE.exists():
        lacking.append(f"axe-core (npm ci --prefix {AXE_PROJECT})")
    return lacking


class AnyBox(Protocol):
    """The interface of a box that the fleet uses."""

    name: str
    port: int
    socket: Path

    @property
    def known_hosts_line(self) -> str:
        """The line of its host key for known_hosts."""

    def start(self) -> None:
        """Start it."""

    def stop(self) -> None:
        """Stop it."""


B = TypeVar("B", bound=AnyBox)


class Fleet(Generic[B]):
    """A context manager: the boxes run inside it and are removed after it."""

    def __init__(self, n: int = 3) -> None:
        # Short, because a Unix socket's path must stay below 108 characters.
        self.directory = Path(tempfile.mkdtemp(prefix="fsl-", dir="/tmp"))
        self.client_key = self.directory / "id_ed25519"
        self.known_hosts = self.directory / "known_hosts"
        self.inventory = self.directory / "inventory.yml"
        self.state = self.directory / "state"
        self.boxes: list[B] = []
        self._count = n

    def __enter__(self) -> Self:
        try:
            self.make_client_key()
            for number in range(1, self._count + 1):
                self.boxes.append(self.make_box(f"runner-{number}", self.directory / f"b{number}"))
            with ThreadPoolExecutor(self._count) as pool:
                list(pool.map(lambda box: box.start(), self.boxes))
            self._write_files()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def make_box(self, name: str, directory: Path) -> B:
        """Return a box below ``directory``, not started."""
        raise NotImplementedError

    def make_client_key(self) -> None:
        """Create the key that every box accepts."""
        raise NotImplementedError

    def stop(self) -> None:
        """End every box and delete all files."""
        try:
            for box in self.boxes:
                box.stop()
        finally:
            remove_tree(self.directory)

    def box(self, name: str) -> B:
        """Return the box of that name."""
        return next(box for box in self.boxes if box.name == name)

    def options(self) -> list[str]:
        """Return the options with which fleetsweep reaches this fleet."""
        return ["-i", str(self.inventory), "--known-hosts", str(self.known_hosts), "--state-dir", str(self.state)]

    def _write_files(self) -> None:
        self.known_hosts.write_text("".join(box.known_hosts_line for box in self.boxes))
        shared = {"ansible_host": "127.0.0.1", "ansible_user": "root", "ansible_ssh_private_key_file": self.client_key}
        yaml = ["runners:", "  vars:", *(f"    {key}: {value}" for key, value in shared.items()), "  hosts:"]
        ini = ["[runners]"]
        for box in self.boxes:
            own = {"ansible_port": box.port, "fleetsweep_engine": f"unix://{box.socket}"}
            yaml += [f"    {box.name}:", *(f"      {key}: {value}" for key, value in own.items())]
            ini.append(" ".join([box.name, *(f"{key}={value}" for key, value in own.items())]))
        ini += ["[runners:vars]", *(f"{key}={value}" for key, value in shared.items())]
        self.inventory.write_text("\n".join(yaml) + "\n")
        self.inventory.with_suffix(".ini").write_text("\n".join(ini) + "\n")


class Lab(Fleet[Box]):
    """Real boxes. Raises LabUnavailable where they can't run."""

    def __init__(self, n: int = 3) -> None:
        lacking = missing()
        if lacking:
            raise LabUnavailable("the lab needs " + ", ".join(lacking))
        super().__init__(n)

    def make_box(self, name: str, directory: Path) -> Box:
        """Return a real box."""
        return Box(name, directory, self.client_key)

    def make_client_key(self) -> None:
        """Create the key that every box accepts."""
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.client_key)], check=True)
