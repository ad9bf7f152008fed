"""A real Prometheus on loopback that scrapes files of metrics."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

from tests.lab.process import Daemon, wait_for
from tests.lab.sockets import free_port


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    url: str

    def get(self, path: str) -> object:
        """Return the data of a GET request to its API; ``path`` begins after ``/api/v1/``."""
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}", timeout=10) as response:  # noqa: S310 - on loopback
            return json.load(response)["data"]

    def has(self, query: str) -> bool:
        """Return whether a query returns samples now."""
        data = self.get(f"query?query={quote(query)}")
        assert isinstance(data, dict)
        return bool(data["result"])


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Write no access log."""


@contextmanager
def prometheus(directory: Path, files: Path, rules: Path) -> Iterator[Prometheus]:
    """Run a Prometheus in ``directory`` with these rules; it scrapes each .prom file in ``files`` twice a second."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(files)))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    target = {"targets": [f"127.0.0.1:{server.server_address[1]}"]}
    config = directory / "prometheus.yml"
    config.write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"},
                "rule_files": [str(rules)],
                "scrape_configs": [
                    {"job_name": file.stem, "metrics_path": f"/{file.name}", "static_configs": [target]}
                    for file in files.glob("*.prom")
                ],
            }
        )
    )
    port = free_port()
    daemon = Daemon(
        [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        directory / "prometheus.log",
    )
    running = Prometheus(f"http://127.0.0.1:{port}")

    def ready() -> bool:
        try:
            return bool(running.get("status/config"))
        except OSError:
            assert daemon.alive(), daemon.tail()
            return False

    try:
        wait_for(ready, "Prometheus responds")
        yield running
    finally:
        daemon.stop()
        server.shutdown()
        thread.join()
        server.server_close()
