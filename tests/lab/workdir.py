"""A working directory for whole commands against one scripted engine: socket, state directory and options."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine


@dataclass(frozen=True, slots=True)
class Workdir:
    """A directory with a path short enough for a Unix socket."""

    directory: Path

    @property
    def socket(self) -> Path:
        """The socket for an engine."""
        return self.directory / "e.sock"

    @property
    def state(self) -> Path:
        """The state directory, not created yet."""
        return self.directory / "state"

    def local(self, url: str) -> list[str]:
        """Return the options for the engine at ``url``."""
        return ["--local", "--engine", url, "--state-dir", str(self.state)]

    def sweep(self, url: str, *words: str) -> list[str]:
        """Return a command line that sweeps the engine at ``url`` and reports as JSON."""
        return ["sweep", *self.local(url), "--yes", "--format", "json", *words]


def leaks(count: int) -> list[ScriptedContainer]:
    """Return ``count`` stale containers, ``ws-0`` and up."""
    return [ScriptedContainer(f"{number:064x}", f"ws-{number}", age=timedelta(days=2)) for number in range(count)]


def deletes(engine: ScriptedEngine) -> list[str]:
    """Return the ids of the containers whose removal was requested, in order."""
    return [path.split("/")[2] for method, path in engine.requests if method == "DELETE"]
