"""Engines of every generation: Docker with either image store, and Podman."""

from __future__ import annotations

import json
import re
import subprocess
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

import docker
import docker.errors

from tests.compat.roots import Root
from tests.lab.box import image_archive, wait_for_engine
from tests.lab.process import Daemon, wait_for

SLEEP: Final = ("/bin/sleep", "1000000")


class AnyEngine:
    """A context manager: the engine runs inside it. ``name`` has its version once it runs."""

    kind = ""
    folder = ""
    client_api = "1.41"
    """The API version with which the checks prepare containers."""
    registry = ""
    """What this kind puts before the name of an image without a registry."""

    def __init__(self, root: Root) -> None:
        self.root = root
        self.name = self.kind
        self.version: tuple[int, ...] = ()
        self.directory = root.work / self.folder
        self.inside = root.inside / self.folder
        self.socket = self.directory / "engine.sock"
        self._daemon: Daemon | None = None

    @property
    def url(self) -> str:
        """The engine's address, as this machine reaches it."""
        return f"unix://{self.socket}"

    @property
    def inner_url(self) -> str:
        """The engine's address within its root."""
        return f"unix://{self.inside}/engine.sock"

    def __enter__(self) -> Self:
        self.directory.mkdir()
        try:
            self._daemon = Daemon(self.root.command(*self.service()), self.directory / "log")
            wait_for_engine(self._daemon, self.socket, self.api, f"{self.kind} of {self.root.release}")
            text = self._version_text()
            self.version = tuple(map(int, text.split(".")))
            self.name = f"{self.kind} {text}{self.suffix}"
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        if self._daemon is not None and self._daemon.alive():
            with suppress(docker.errors.DockerException, OSError, subprocess.SubprocessError):
                self.clear()
            self._daemon.stop()
        self.root.end_leftovers()

    def _version_text(self) -> str:
        with self.api() as api:
            return re.split(r"[^0-9.]", str(api.version()["Version"]))[0]

    def api_versions(self) -> tuple[str, str]:
        """Return the oldest and the newest API version that the engine accepts."""
        with self.api() as api:
            found = api.version()
            return str(found["MinAPIVersion"]), str(found["ApiVersion"])

    @property
    def suffix(self) -> str:
        """What the name has after the version."""
        return ""

    def service(self) -> list[str]:
        """Return the command of the daemon."""
        raise NotImplementedError

    def api(self) -> docker.APIClient:
        """Return a client of this engine."""
        return docker.APIClient(base_url=self.url, version=self.client_api, timeout=30)

    def import_image(self, reference: str, salt: str = "") -> None:
        """Make an image of that name. With another ``salt`` the name moves, and old containers keep the old image."""
        raise NotImplementedError

    def run(self, name: str, image: str, **labels: str) -> None:
        """Run a container that heeds no SIGTERM."""
        raise NotImplementedError

    def create(self, name: str, image: str) -> None:
        """Make a container that never starts."""
        with self.api() as api:
            api.create_container(self.registry + image, list(SLEEP), name=name)

    def pause(self, name: str) -> None:
        """Pause a running container."""
        with self.api() as api:
            api.pause(name)

    def states(self) -> dict[str, str]:
        """Return the state of each container by its name."""
        with self.api() as api:
            return {str(each["Names"][0]).lstrip("/"): str(each["State"]) for each in api.containers(all=True)}

    def volumes(self) -> set[str]:
        """Return the names of all volumes."""
        with self.api() as api:
            return {str(each["Name"]) for each in api.volumes()["Volumes"] or []}

    def networks(self) -> set[str]:
        """Return the names of all networks that a check made."""
        with self.api() as api:
            return {str(each["Name"]) for each in api.networks() if str(each["Name"]).startswith("net-")}

    def clear(self) -> None:
        """Remove every container, volume and network of a check."""
        with self.api() as api:
            for each in api.containers(all=True):
                api.remove_container(each["Id"], force=True)
            for name in self.volumes():
                api.remove_volume(name)
            for name in self.networks():
                api.remove_network(name)


class Docker(AnyEngine):
    """dockerd with its classic image store."""

    kind = "Docker"
    folder = "docker"

    def service(self) -> list[str]:
        """Return the command of dockerd."""
        (self.directory / "daemon.json").write_text(json.dumps(self.settings()))
        own = {"data-root": "data", "exec-root": "exec", "pidfile": "pid", "config-file": "daemon.json"}
        paths = [f"--{option}={self.inside}/{name}" for option, name in own.items()]
        apart = ["--bridge=none", "--iptables=false", "--ip6tables=false"]
        return ["dockerd", f"--host={self.inner_url}", *paths, *apart]

    def settings(self) -> dict[str, object]:
        """Return what dockerd's configuration file has."""
        return {}

    def import_image(self, reference: str, salt: str = "") -> None:
        """Make an image of that name."""
        repository, _, tag = reference.rpartition(":")
        with self.api() as api:
            api.import_image_from_data(image_archive(salt), repository=repository, tag=tag)

    def run(self, name: str, image: str, **labels: str) -> None:
        """Run a container that heeds no SIGTERM."""
        with self.api() as api:
            apart = api.create_host_config(network_mode="none")
            dotted = {key.replace("_", "."): value for key, value in labels.items()}
            made = api.create_container(image, list(SLEEP), name=name, labels=dotted, host_config=apart)
            api.start(made["Id"])


class DockerContainerd(Docker):
    """dockerd with containerd's image store."""

    folder = "docker-containerd"

    @property
    def suffix(self) -> str:
        """What the name has after the version."""
        return ", containerd's store"

    def settings(self) -> dict[str, object]:
        """Return what dockerd's configuration file has."""
        return {"features": {"containerd-snapshotter": True}}


class DockerOfNewClients(Docker):
    """dockerd that accepts newer API versions only, as Docker 29 does by itself."""

    folder = "docker-new"
    client_api = "1.45"

    @property
    def suffix(self) -> str:
        """What the name has after the version."""
        return f", minimum API {self.client_api}"

    def service(self) -> list[str]:
        """Return the command of dockerd."""
        return ["env", f"DOCKER_MIN_API_VERSION={self.client_api}", *super().service()]


class Podman(AnyEngine):
    """Podman's API service."""

    kind = "Podman"
    folder = "podman"
    registry = "localhost/"

    def _words(self, *words: str) -> list[str]:
        paths = ["--root", f"{self.inside}/root", "--runroot", f"{self.inside}/run"]
        # crun, its usual runtime, refuses a hybrid of the two kinds of cgroups.
        return [
            "podman",
            *paths,
            "--cgroup-manager=cgroupfs",
            "--events-backend=file",
            "--runtime=/usr/sbin/runc",
            *words,
        ]

    def service(self) -> list[str]:
        """Return the command of the API service."""
        return self._words("system", "service", "-t", "0", self.inner_url)

    def import_image(self, reference: str, salt: str = "") -> None:
        """Make an image of that name; Podman puts localhost/ before it."""
        self.root.output(*self._words("import", "-q", "-", reference), stdin=image_archive(salt))

    def run(self, name: str, image: str, **labels: str) -> None:
        """Run a container that heeds no SIGTERM."""
        limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000", "--network", "none"]
        marks = [word for key, value in labels.items() for word in ("--label", f"{key.replace('_', '.')}={value}")]
        self.root.output(*self._words("run", "-d", *limits, *marks, "--name", name, self.registry + image, *SLEEP))

    def begin_stop(self, name: str) -> None:
        """Begin to stop a container and end the client meanwhile: the container stays in the state ``stopping``."""
        words = self.root.command(*self._words("stop", "-t", "300", name))
        client = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: self.states()[name] == "stopping", f"{name} being stopped")
        finally:
            client.kill()
            client.wait()

    def end_process(self, name: str) -> None:
        """Kill a container's first process."""
        with self.api() as api:
            process = int(api.inspect_container(name)["State"]["Pid"])
        self.root.output("kill", "-9", str(process))

    def clear(self) -> None:
        """Remove every container, volume and network of a check."""
        # Podman's compatible API waits the stop timeout of each.
        self.root.output(*self._words("rm", "-f", "-a", "-t", "0"))
        super().clear()
