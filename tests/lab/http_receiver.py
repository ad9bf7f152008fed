"""A web server on loopback that records requests: a stand-in for a chat, a mail gateway or a Pushgateway."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.lab.request_gate import Gate


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request; ``path`` as it was sent, header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """The requests that a server received, and its response: ``status``, and a redirect if ``location`` is set.

    A shut gate in ``hold`` blocks the responses.
    """

    port: int = 0
    status: int = 200
    location: str = ""
    received: list[ReceivedRequest] = field(default_factory=list)
    hold: Gate | None = None

    @property
    def authority(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"


@contextmanager
def receiving(status: int = 200, location: str = "") -> Iterator[Receiver]:
    """Run a server while the block runs."""
    receiver = Receiver(status=status, location=location)

    class Handler(BaseHTTPRequestHandler):
        def _record(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(ReceivedRequest(self.command, self.path, headers, body))
            if receiver.hold is not None and (asked := re.match(".*", f"{self.command} {self.path}")):
                receiver.hold(asked)
            self.send_response(receiver.status)
            if receiver.location:
                self.send_header("Location", receiver.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = do_PUT = do_DELETE = _record

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
