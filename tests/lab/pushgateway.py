"""A real Pushgateway on a free loopback port."""

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
    """A running Pushgateway."""

    url: str

    def text(self) -> str:
        """Return fleetsweep's metrics as Prometheus would scrape them."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as response:  # noqa: S310 - our own, on loopback
            lines = response.read().decode().splitlines(keepends=True)
        return "".join(line for line in lines if line.startswith("fleetsweep_"))


@contextmanager
def pushgateway(directory: Path) -> Iterator[Pushgateway]:
    """Run a Pushgateway while the block runs."""
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
