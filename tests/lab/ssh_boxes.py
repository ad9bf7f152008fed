"""Boxes with a real sshd and a scripted engine: quick to start, for tests of connecting."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fleetsweep.model.host import Host
from fleetsweep.model.survey import FailedSurvey, Fault, Survey
from fleetsweep.policy.rules import Policy
from fleetsweep.ssh import SshOptions
from fleetsweep.sweep.phases import ConnectConfig, open_bastions, survey
from fleetsweep.sweep.workers import Limits
from tests.lab.box import Box
from tests.lab.process import remove_tree
from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine


@dataclass(slots=True)
class Found:
    """The results of a survey, by host name."""

    surveys: dict[str, Survey] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)

    def fault(self, name: str) -> Fault:
        """Return why a host failed; it must have a phase, a kind, a message and a remedy."""
        fault = self.faults[name]
        assert not fault.bug, fault
        assert fault.phase is not None
        assert fault.kind
        assert fault.message
        assert fault.remedy
        return fault


class SshBoxes:
    """A context manager: boxes ``b0`` and up, a known_hosts with all of them, and the key that they accept."""

    def __init__(self, count: int) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="fss-", dir="/tmp"))
        self.key = self.directory / "id"
        self.known_hosts = self.directory / "known_hosts"
        self.ssh_config = self.directory / "ssh_config"
        self.boxes: list[Box] = []
        self._count = count
        self._open = ExitStack()

    def __enter__(self) -> Self:
        try:
            make_key(self.key)
            self.ssh_config.write_text("")
            for number in range(self._count):
                box = Box(f"b{number}", self.directory / f"b{number}", self.key)
                self.boxes.append(box)
                self._open.enter_context(ScriptedEngine([ScriptedContainer("a" * 64)]).serve(box.socket))
                box.start_sshd()
            self.trust_all()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End every sshd and delete all files."""
        try:
            for box in self.boxes:
                box.stop()
        finally:
            self._open.close()
            remove_tree(self.directory)

    def trust_all(self) -> None:
        """Write the boxes' current host keys to known_hosts."""
        self.known_hosts.write_text("".join(box.known_hosts_line for box in self.boxes))

    def restart(self, number: int, *lines: str) -> Box:
        """Restart a box's sshd with these lines in its configuration and an empty log."""
        box = self.boxes[number]
        box.stop_sshd()
        box.sshd_lines = [*lines]
        (box.directory / "sshd.log").unlink(missing_ok=True)
        box.start_sshd()
        return box

    def host(self, number: int, name: str = "", **changes: object) -> Host:
        """Return the Host that an inventory would give for the box."""
        box = self.boxes[number]
        given: dict[str, object] = {
            "port": box.port,
            "user": "root",
            "key_file": str(self.key),
            "engine": f"unix://{box.socket}",
            **changes,
        }
        return Host(name or box.name, "127.0.0.1", **given)  # type: ignore[arg-type]

    def configure(self, text: str) -> Path:
        """Write a new SSH configuration file. A run reads and caches each file once."""
        path = Path(tempfile.mkstemp(dir=self.directory, prefix="config-")[1])
        path.write_text(text)
        return path

    def survey(self, hosts: Sequence[Host], *, host_timeout_s: float = 30, forks: int = 64, **ssh: Any) -> Found:  # noqa: ANN401
        """Survey hosts in this process."""
        known: dict[str, Any] = {"known_hosts": (str(self.known_hosts),), "ssh_config": str(self.ssh_config)}
        options = SshOptions(**{**known, **ssh})
        reach = ConnectConfig(options, Limits(forks, host_timeout_s, 60))
        found = Found()
        with open_bastions(hosts, reach) as ready:
            surveys = survey(hosts, {host.name: Policy() for host in hosts}, ready)
        for seen in surveys:
            if isinstance(seen, FailedSurvey):
                found.faults[seen.host.name] = seen.fault
            else:
                found.surveys[seen.host.name] = seen
        return found


def own_threads() -> set[str]:
    """Return the names of fleetsweep's and paramiko's threads in this process."""
    return {
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith("fleetsweep") or type(thread).__module__.startswith("paramiko")
    }


def make_key(path: Path, *words: str, kind: str = "ed25519", phrase: str = "") -> Path:
    """Create a key pair with ssh-keygen. Return the private key's path."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", phrase, "-C", path.name, "-f", str(path), *words]
    subprocess.run(command, check=True)
    return path


def logins(box: Box) -> int:
    """Return the number of successful logins."""
    return box.sshd_log.count("Accepted publickey")


def tries(box: Box) -> int:
    """Return the number of keys offered, accepted or not."""
    return box.sshd_log.count("Accepted publickey") + box.sshd_log.count("Failed publickey")
