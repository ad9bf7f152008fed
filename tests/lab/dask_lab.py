"""A Dask scheduler and workers as processes on this machine."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fleetsweep.schedule import ZoneWorker
from tests.lab.process import Daemon, wait_for
from tests.lab.sockets import accepts, free_port


@dataclass(slots=True)
class DaskLab:
    """A scheduler, and workers by their zones. Everything ends with ``open_dask``."""

    directory: Path
    port: int
    scheduler: Daemon
    tls: Mapping[str, str]
    stack: ExitStack
    workers: dict[str, Daemon] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The scheduler's address."""
        return f"{'tls' if self.tls else 'tcp'}://127.0.0.1:{self.port}"

    def worker(self, zone: str, *, name: str = "", version: str | None = None) -> Daemon:
        """Start a worker as its zone's unit does. ``version`` is another one of fleetsweep that it claims to have."""
        name = name or f"worker-{len(self.workers)}"
        path = self.directory / f"modules-{name}"
        if version is not None:
            found = path / f"fleetsweep-{version}.dist-info"
            found.mkdir(parents=True)
            (found / "METADATA").write_text(f"Metadata-Version: 2.1\nName: fleetsweep\nVersion: {version}\n")
        tls = (self.tls["ca"], self.tls["cert"], self.tls["key"]) if self.tls else None
        unit = ZoneWorker(zone, self.url, "fleetsweep", tls)
        command = [
            *("/usr/bin/env", f"PYTHONPATH={path}:{Path.cwd()}", *unit.command),
            *("--name", name, "--local-directory", str(self.directory), "--host", "127.0.0.1"),
        ]
        daemon = Daemon(command, self.directory / f"{name}.log")
        self.stack.callback(daemon.stop)
        self.workers[name] = daemon
        return daemon

    def await_workers(self) -> None:
        """Wait until every worker that was started is registered."""

        def registered() -> bool:
            return all("Registered to:" in daemon.log.read_text() for daemon in self.workers.values())

        wait_for(registered, "the workers registering", 60)


@contextmanager
def open_dask(tls: Mapping[str, Path] | None = None) -> Iterator[DaskLab]:
    """Run a scheduler while the block runs. ``tls`` are the paths of ``ca``, ``cert`` and ``key``."""
    files = {"--tls-ca-file": "ca", "--tls-cert": "cert", "--tls-key": "key"}
    words = tuple(word for flag, name in files.items() for word in (flag, str(tls[name]))) if tls else ()
    with tempfile.TemporaryDirectory(prefix="fsd-", ignore_cleanup_errors=True) as name, ExitStack() as stack:
        directory, port = Path(name), free_port()
        command = [
            *(sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)),
            *("--no-dashboard", "--no-show", *words),
        ]
        if tls:
            command += ["--protocol", "tls"]
        scheduler = Daemon(command, directory / "scheduler.log")
        stack.callback(scheduler.stop)
        wait_for(lambda: accepts(port) or not scheduler.alive(), "the scheduler listening", 60)
        if not scheduler.alive():
            raise RuntimeError(f"the scheduler ended: {scheduler.tail()}")
        paths = {key: str(path) for key, path in tls.items()} if tls else {}
        yield DaskLab(directory, port, scheduler, paths, stack)
