"""A real Pushgateway, on a port of loopback that it chooses itself."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.process import Daemon, wait_for


@dataclass(frozen=True, slots=True)
class Pushgateway:
    """One that runs."""

    url: str

    def text(self) -> str:
        """What Prometheus would scrape there of fleetsweep."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:  # noqa: S310 - our own, on loopback
            lines = answer.read().decode().splitlines(keepends=True)
        return "".join(line for line in lines if line.startswith("fleetsweep_"))


@contextmanager
def pushgateway(directory: Path) -> Iterator[Pushgateway]:
    """It runs inside the block."""
    daemon = Daemon(["prometheus-pushgateway", "--web.listen-address=127.0.0.1:0"], directory / "pushgateway.log")
    try:
        found: list[str] = []

        def listens() -> bool:
            found[:] = re.findall(r'"Listening on" address=(\S+)', daemon.tail())
            return bool(found) or not daemon.alive()

        wait_for(listens, "the Pushgateway listening")
        assert found, daemon.tail()
        yield Pushgateway(f"http://{found[0]}")
    finally:
        daemon.stop()
