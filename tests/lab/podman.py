"""A box's Podman: its API service on a socket of its own, with containers that were made and never started."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import docker
import docker.errors

from tests.lab.box import image_archive, wait_for_engine
from tests.lab.process import Daemon, remove_tree


class Podman:
    """A context manager: the service runs inside it and is gone after it. ``directory``'s path must be short."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "podman.sock"
        self._words = ["podman", "--root", str(directory / "root"), "--runroot", str(directory / "run")]
        self._daemon: Daemon | None = None

    def __enter__(self) -> Self:
        self.directory.mkdir()
        service = ["--cgroup-manager", "cgroupfs", "--events-backend", "file", "system", "service", "-t", "0"]
        self._daemon = Daemon([*self._words, *service, f"unix://{self.socket}"], self.directory / "log")
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
        if self._daemon is not None:
            self._daemon.stop()
        remove_tree(self.directory)

    def api(self) -> docker.APIClient:
        """A client of this engine."""
        return docker.APIClient(base_url=f"unix://{self.socket}", version="1.41", timeout=30)

    def import_image(self, reference: str) -> None:
        """Make an image of that name; Podman puts localhost/ before it."""
        subprocess.run([*self._words, "import", "-q", "-", reference], check=True, input=image_archive(reference))

    def create(self, name: str, image: str) -> str:
        """Make a container. Answers its id."""
        with self.api() as api:
            return str(api.create_container(image, ["/bin/sleep", "1000000"], name=name)["Id"])

    def names(self) -> set[str]:
        """The names of all containers."""
        with self.api() as api:
            return {str(name).lstrip("/") for item in api.containers(all=True) for name in item["Names"]}
