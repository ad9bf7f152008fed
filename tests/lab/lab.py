"""The fleet: N boxes, an Ansible inventory, a known_hosts and a key for them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from tests.lab.box import Box
from tests.lab.process import remove_tree

PACKAGES = ("docker.io", "openssh-server", "busybox-static", "iproute2")


class LabUnavailable(RuntimeError):
    """This machine can't run the lab; the message says what it lacks and how to get it."""


def missing() -> list[str]:
    """What this machine lacks, in words; empty if the lab can start."""
    lacking = [] if os.geteuid() == 0 else ["root (run as root, or with sudo)"]
    for program, package in (("dockerd", "docker.io"), ("/usr/sbin/sshd", "openssh-server")):
        if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
            lacking.append(f"{program} (apt-get install --no-install-recommends {package})")
    if not Path("/bin/busybox").exists():
        lacking.append("/bin/busybox (apt-get install --no-install-recommends busybox-static)")
    return lacking


class Lab:
    """A context manager: the fleet is up inside it and gone after it."""

    def __init__(self, n: int = 3) -> None:
        lacking = missing()
        if lacking:
            raise LabUnavailable("the lab needs " + ", ".join(lacking))
        # Short, because a Unix socket's path must stay below 108 characters.
        self.directory = Path(tempfile.mkdtemp(prefix="fsl-", dir="/tmp"))
        self._client_key = self.directory / "id_ed25519"
        self.known_hosts = self.directory / "known_hosts"
        self.inventory = self.directory / "inventory.yml"
        self.state = self.directory / "state"
        self.boxes: list[Box] = []
        self._count = n

    def __enter__(self) -> Lab:
        try:
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._client_key)], check=True)
            for number in range(1, self._count + 1):
                self.boxes.append(Box(f"runner-{number}", self.directory / f"b{number}", self._client_key))
            with ThreadPoolExecutor(self._count) as pool:
                list(pool.map(Box.start, self.boxes))
            self._write_files()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End every box and delete all files."""
        try:
            for box in self.boxes:
                box.stop()
        finally:
            remove_tree(self.directory)

    def box(self, name: str) -> Box:
        """The box of that name."""
        return next(box for box in self.boxes if box.name == name)

    def options(self) -> list[str]:
        """The options with which fleetsweep reaches this fleet."""
        return ["-i", str(self.inventory), "--known-hosts", str(self.known_hosts), "--state-dir", str(self.state)]

    def _write_files(self) -> None:
        self.known_hosts.write_text("".join(box.known_hosts_line for box in self.boxes))
        shared = {"ansible_host": "127.0.0.1", "ansible_user": "root", "ansible_ssh_private_key_file": self._client_key}
        yaml = ["runners:", "  vars:", *(f"    {key}: {value}" for key, value in shared.items()), "  hosts:"]
        ini = ["[runners]"]
        for box in self.boxes:
            own = {"ansible_port": box.port, "fleetsweep_engine": f"unix://{box.socket}"}
            yaml += [f"    {box.name}:", *(f"      {key}: {value}" for key, value in own.items())]
            ini.append(" ".join([box.name, *(f"{key}={value}" for key, value in own.items())]))
        ini += ["[runners:vars]", *(f"{key}={value}" for key, value in shared.items())]
        self.inventory.write_text("\n".join(yaml) + "\n")
        self.inventory.with_suffix(".ini").write_text("\n".join(ini) + "\n")
