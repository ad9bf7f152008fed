"""A box's Podman: its API service on a socket of its own, with containers that run or were never started."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import docker
import docker.errors

from tests.lab.box import image_archive, wait_for_engine
from tests.lab.process import Daemon, processes_below, remove_tree, wait_for


class Podman:
    """A context manager: the service runs inside it. The path of ``directory`` must be short."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "podman.sock"
        # crun, its usual runtime, refuses a hybrid of the two kinds of cgroups.
        self._words = ["podman", "--root", str(directory / "root"), "--runroot", str(directory / "run")]
        self._words += ["--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime", "/usr/sbin/runc"]
        self._daemon: Daemon | None = None

    def __enter__(self) -> Self:
        self.directory.mkdir()
        service = ["system", "service", "-t", "0", f"unix://{self.socket}"]
        self._daemon = Daemon([*self._words, *service], self.directory / "log")
        try:
            wait_for_engine(self._daemon, self.socket, self.api, "podman")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        try:
            # Podman's containers outlive its service; infra containers can only be removed with their pod.
            subprocess.run([*self._words, "pod", "rm", "-f", "-a"], check=False, capture_output=True, timeout=60)
            subprocess.run([*self._words, "rm", "-f", "-a", "-t", "0"], check=False, capture_output=True, timeout=60)
        finally:
            if self._daemon is not None:
                self._daemon.stop()
            for pid in processes_below(self.directory):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        remove_tree(self.directory)

    def api(self) -> docker.APIClient:
        """A client of this engine."""
        return docker.APIClient(base_url=f"unix://{self.socket}", version="1.41", timeout=30)

    def import_image(self, reference: str) -> None:
        """Create an image of that name; Podman prefixes it with localhost/."""
        subprocess.run([*self._words, "import", "-q", "-", reference], check=True, input=image_archive(reference))

    def create(self, name: str, image: str) -> str:
        """Create a container. Return its id."""
        with self.api() as api:
            return str(api.create_container(image, ["/bin/sleep", "1000000"], name=name)["Id"])

    def run(self, name: str, image: str, *words: str) -> str:
        """Run a container that ignores SIGTERM; ``words`` are more options. Return its id."""
        limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
        network = [] if "--network" in words else ["--network", "none"]
        command = [*self._words, "run", "-d", *limits, *network, *words, "--name", name, image, "/bin/sleep", "1000000"]
        # The container would keep an inherited stderr pipe open, and block us.
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return done.stdout.strip()

    def make_pod(self, name: str, image: str, *, infra: str, members: Sequence[str]) -> None:
        """Create a pod that never starts, with an infra container of that name and these members."""
        # It is not started: Podman 4.3 can't set the limits that an infra container needs here.
        held = ["--network", "none", "--infra-image", image, "--infra-command", "/bin/sleep", "--infra-name", infra]
        commands = [["pod", "create", *held, name]]
        commands += [["create", "--pod", name, "--name", each, image, "/bin/sleep", "1000000"] for each in members]
        for command in commands:
            subprocess.run([*self._words, *command], check=True, capture_output=True)

    def stop_in_vain(self, name: str) -> int:
        """Start to stop a container and kill the command, which leaves it stopping. Return the container's pid."""
        child = subprocess.Popen([*self._words, "stop", "-t", "300", name], stdout=subprocess.DEVNULL)
        try:
            wait_for(lambda: self.state(name)["Status"] == "stopping", f"{name} being stopped")
        finally:
            child.kill()
            child.wait()
        return int(str(self.state(name)["Pid"]))

    def paste(self, command: str) -> None:
        """Run a command line that names ``podman``, as typed on this box."""
        function = f'podman() {{ command {shlex.join(self._words)} "$@"; }}'
        subprocess.run(["/bin/sh", "-c", f"{function}\n{command}"], check=True, capture_output=True, timeout=60)

    def state(self, name: str) -> dict[str, object]:
        """Return a container's state from an inspect."""
        with self.api() as api:
            return dict(api.inspect_container(name)["State"])

    def names(self) -> set[str]:
        """The names of all containers."""
        with self.api() as api:
            return {str(name).lstrip("/") for item in api.containers(all=True) for name in item["Names"]}
