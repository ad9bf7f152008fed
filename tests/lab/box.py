"""One runner box: a private dockerd and a private sshd, with containers of real ages."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import docker
import docker.errors

from tests.lab.process import Daemon, processes_below, remove_tree, wait_for
from tests.lab.sockets import accepts, free_port

WORKSPACE = "molecule-local/workspace-template-x:latest"
NEVER = "created"


@dataclass(frozen=True, slots=True)
class Spec:
    """A container to create. ``age`` is since its start (or creation, if never started); None means now."""

    name: str
    image: str = WORKSPACE
    state: str = "running"
    age: timedelta | None = None
    created_age: timedelta | None = None
    labels: dict[str, str] = field(default_factory=dict)


def image_archive(salt: str) -> bytes:
    """Return a root file system with a static busybox; another ``salt`` makes another image."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add("/bin/busybox", "bin/busybox")
        for name in ("sh", "sleep"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        note = tarfile.TarInfo("salt")
        note.size = len(salt)
        tar.addfile(note, io.BytesIO(salt.encode()))
    return archive.getvalue()


def wait_for_engine(daemon: Daemon, address: Path, api: Callable[[], docker.APIClient], name: str) -> None:
    """Poll until an engine responds on its socket. Raises RuntimeError if it exits or takes too long."""

    def responds() -> bool:
        if not daemon.alive():
            raise RuntimeError(f"{name} ended:\n{daemon.tail()}")
        # The SDK leaks its socket if the connection is refused.
        if not accepts(address):
            return False
        try:
            with api() as client:
                return bool(client.ping())
        except (docker.errors.DockerException, OSError):
            return False

    wait_for(responds, f"a response of {name}", 60)


class Box:
    """A box named ``name`` below ``directory``; ``start`` and ``stop`` it. ``sshd_prefix`` is a command to run sshd."""

    def __init__(self, name: str, directory: Path, client_key: Path) -> None:
        self.name = name
        self.directory = directory
        self.socket = directory / "docker.sock"
        self.port = free_port()
        self.sshd_lines: list[str] = []
        self.sshd_prefix: list[str] = []
        self.dockerd_options: list[str] = []
        self._client_key = client_key
        self._dockerd: Daemon | None = None
        self._sshd: Daemon | None = None
        directory.mkdir()
        self.make_host_key()

    def start(self) -> None:
        """Bring both daemons up and load the images."""
        self.start_sshd()
        self.start_dockerd()
        for reference in (WORKSPACE, "molecule-local/workspace-template-y:latest", "postgres:16", "redis:7"):
            self.import_image(reference, reference)

    def stop(self) -> None:
        """End everything that this box started, and delete its directory."""
        if self._sshd is not None:
            self._sshd.stop()
        try:
            if self._dockerd is not None and self._dockerd.alive():
                os.kill(self._dockerd.pid, 18)
                self.clear()
                self._dockerd.stop()
        finally:
            for number in (15, 9):
                for pid in processes_below(self.directory):
                    try:
                        os.kill(pid, number)
                    except ProcessLookupError:
                        continue
                if not processes_below(self.directory):
                    break
            remove_tree(self.directory)

    # sshd

    def make_host_key(self) -> None:
        """A new host key; it holds from the next start of sshd."""
        key = self.directory / "host_key"
        key.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)

    @property
    def known_hosts_line(self) -> str:
        """What known_hosts says of this box's present host key."""
        kind, key = (self.directory / "host_key.pub").read_text().split()[:2]
        return f"[127.0.0.1]:{self.port} {kind} {key}\n"

    @property
    def sshd_log(self) -> str:
        """All that sshd has logged."""
        return (self.directory / "sshd.log").read_text(errors="replace")

    def start_sshd(self) -> None:
        """Start sshd and wait until it listens."""
        config = self.directory / "sshd_config"
        # Of this setting sshd takes the last value that it finds, of all others the first.
        many = [] if any(line.startswith("MaxStartups") for line in self.sshd_lines) else ["MaxStartups 1000"]
        config.write_text(
            "\n".join(
                [
                    *self.sshd_lines,
                    f"Port {self.port}",
                    "ListenAddress 127.0.0.1",
                    f"HostKey {self.directory}/host_key",
                    f"AuthorizedKeysFile {self._client_key}.pub",
                    f"PidFile {self.directory}/sshd.pid",
                    "UsePAM no",
                    "StrictModes no",
                    "PermitRootLogin prohibit-password",
                    "PasswordAuthentication no",
                    *many,
                    "LogLevel VERBOSE",
                    "",
                ]
            )
        )
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._sshd = Daemon(
            [*self.sshd_prefix, "/usr/sbin/sshd", "-D", "-e", "-f", str(config)], self.directory / "sshd.log"
        )
        wait_for(lambda: accepts(self.port), f"sshd of {self.name} listening")

    def stop_sshd(self) -> None:
        """Stop sshd; connections are refused then."""
        if self._sshd is not None:
            self._sshd.stop()

    # dockerd

    def start_dockerd(self) -> None:
        """Start dockerd and wait until it answers."""
        command = [
            "dockerd",
            f"--data-root={self.directory}/data",
            f"--exec-root={self.directory}/exec",
            f"--host=unix://{self.socket}",
            f"--pidfile={self.directory}/pid",
            "--bridge=none",
            "--iptables=false",
            "--ip6tables=false",
            "--live-restore",
            *self.dockerd_options,
        ]
        self._dockerd = Daemon(command, self.directory / "dockerd.log")
        wait_for_engine(self._dockerd, self.socket, self.api, f"dockerd of {self.name}")

    def stop_dockerd(self) -> None:
        """Stop dockerd; its containers run on."""
        if self._dockerd is not None:
            self._dockerd.stop()

    def api(self) -> docker.APIClient:
        """A client of this box's engine."""
        return docker.APIClient(base_url=f"unix://{self.socket}", version="1.41", timeout=30)

    def import_image(self, reference: str, salt: str) -> None:
        """Create an image of that name; another ``salt`` moves the name, and old containers keep the old image."""
        repository, _, tag = reference.rpartition(":")
        with self.api() as api:
            api.import_image_from_data(image_archive(salt), repository=repository, tag=tag)

    def seed(self, specs: Sequence[Spec]) -> dict[str, str]:
        """Create containers, and set their ages in one restart of dockerd. Return ids by name."""
        with self.api() as api, ThreadPoolExecutor(4) as pool:
            ids = dict(zip((spec.name for spec in specs), pool.map(lambda spec: _make(api, spec), specs), strict=True))
        aged = [spec for spec in specs if spec.age is not None or spec.created_age is not None]
        if aged:
            self.stop_dockerd()
            now = datetime.now(UTC)
            for spec in aged:
                self._set_age(ids[spec.name], spec, now)
            self.start_dockerd()
        return ids

    def grow_old(self, names: Sequence[str], age: timedelta) -> None:
        """Set another age for running containers, in one restart of dockerd."""
        with self.api() as api:
            ids = {str(item["Names"][0]).lstrip("/"): str(item["Id"]) for item in api.containers(all=True)}
        self.stop_dockerd()
        for name in names:
            self._set_age(ids[name], Spec(name, age=age), datetime.now(UTC))
        self.start_dockerd()

    def _set_age(self, container_id: str, spec: Spec, now: datetime) -> None:
        path = self.directory / "data" / "containers" / container_id / "config.v2.json"
        config = json.loads(path.read_text())
        age = spec.age or timedelta(0)
        config["Created"] = _rfc3339(now - (spec.created_age or age))
        if spec.state != NEVER:
            config["State"]["StartedAt"] = _rfc3339(now - age)
        path.write_text(json.dumps(config))

    def names(self) -> set[str]:
        """The names of all containers, running or not."""
        with self.api() as api:
            return {str(name).lstrip("/") for item in api.containers(all=True) for name in item["Names"]}

    def running(self) -> set[str]:
        """The names of the running containers."""
        with self.api() as api:
            return {str(name).lstrip("/") for item in api.containers() for name in item["Names"]}

    def clear(self) -> None:
        """Remove every container."""
        with self.api() as api, ThreadPoolExecutor(4) as pool:
            ids: Iterable[str] = [item["Id"] for item in api.containers(all=True)]
            list(pool.map(lambda container_id: api.remove_container(container_id, force=True), ids))


def _make(api: docker.APIClient, spec: Spec) -> str:
    settings = api.create_host_config(network_mode="none")
    made = api.create_container(
        spec.image, ["/bin/sleep", "1000000"], name=spec.name, labels=spec.labels, host_config=settings
    )
    container_id = str(made["Id"])
    if spec.state != NEVER:
        api.start(container_id)
    if spec.state == "exited":
        api.kill(container_id)
        api.wait(container_id)
    if spec.state == "paused":
        api.pause(container_id)
    return container_id


def _rfc3339(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
