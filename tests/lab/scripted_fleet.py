"""A substitute for the lab where dockerd or sshd can't run: scripted engines behind in-process SSH servers."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import paramiko

from tests.lab.box import NEVER, Spec
from tests.lab.in_process_sshd import InProcessSshd
from tests.lab.lab import Fleet
from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine


class ScriptedBox:
    """A box for the demo, with a scripted engine."""

    def __init__(self, name: str, directory: Path, client_key: Path) -> None:
        directory.mkdir()
        self.name = name
        self.socket = directory / "docker.sock"
        self.engine = ScriptedEngine([])
        key = directory / "host_key"
        _make_key(key)
        self._sshd = InProcessSshd(key, client_key, self.socket)
        self.port = self._sshd.port
        shown = paramiko.PKey.from_path(key)
        self.known_hosts_line = f"[127.0.0.1]:{self.port} {shown.get_name()} {shown.get_base64()}\n"
        self._serving: AbstractContextManager[str] | None = None

    def start(self) -> None:
        """Start to serve."""
        self._serving = self.engine.serve(self.socket)
        self._serving.__enter__()
        self._sshd.start()

    def stop(self) -> None:
        """Stop serving."""
        self._sshd.stop()
        if self._serving is not None:
            self._serving.__exit__(None, None, None)

    def seed(self, specs: Sequence[Spec]) -> dict[str, str]:
        """Add containers to the engine. Return ids by name."""
        ids = {spec.name: (uuid.uuid4().hex * 2) for spec in specs}
        for spec in specs:
            age = spec.age or timedelta(0)
            self.engine.containers[ids[spec.name]] = ScriptedContainer(
                ids[spec.name],
                spec.name,
                spec.image,
                spec.state,
                spec.created_age or age,
                dict(spec.labels),
                started_age=None if spec.state == NEVER else age,
            )
        return ids

    def import_image(self, reference: str, salt: str) -> None:
        """Move an image's name: the list then shows the id of the old image for its containers."""
        for container in self.engine.containers.values():
            container.moved = container.moved or container.image == reference

    def names(self) -> set[str]:
        """The names of all containers."""
        return {container.name for container in self.engine.containers.values()}

    def running(self) -> set[str]:
        """The names of the running containers."""
        return {container.name for container in self.engine.containers.values() if container.state == "running"}


class ScriptedFleet(Fleet[ScriptedBox]):
    """A fleet that needs neither root nor a daemon."""

    def make_box(self, name: str, directory: Path) -> ScriptedBox:
        """Return a box."""
        return ScriptedBox(name, directory, self.client_key)

    def make_client_key(self) -> None:
        """Create the key that every box accepts."""
        _make_key(self.client_key)


def _make_key(path: Path) -> None:
    if subprocess.run(["which", "ssh-keygen"], capture_output=True, check=False).returncode == 0:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    else:
        paramiko.ECDSAKey.generate().write_private_key_file(str(path))
