"""Where a test runs whole commands against one scripted engine: a socket, a state directory, the options for both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine


@dataclass(frozen=True, slots=True)
class Workdir:
    """A directory whose path is short enough for a Unix socket."""

    directory: Path

    @property
    def socket(self) -> Path:
        """Where an engine may listen."""
        return self.directory / "e.sock"

    @property
    def state(self) -> Path:
        """The state directory; nobody has made it yet."""
        return self.directory / "state"

    def local(self, url: str) -> list[str]:
        """The options for the engine at ``url``."""
        return ["--local", "--engine", url, "--state-dir", str(self.state)]

    def sweep(self, url: str, *words: str) -> list[str]:
        """A whole command line: sweep the engine at ``url`` and report as JSON."""
        return ["sweep", *self.local(url), "--yes", "--format", "json", *words]


def leaks(count: int) -> list[ScriptedContainer]:
    """So many stale containers, ``ws-0`` and on."""
    return [ScriptedContainer(f"{number:064x}", f"ws-{number}", age=timedelta(days=2)) for number in range(count)]


def deletes(engine: ScriptedEngine) -> list[str]:
    """The ids of the containers that the engine was asked to remove, in order."""
    return [path.split("/")[2] for method, path in engine.requests if method == "DELETE"]
