"""A proxy in front of an engine's socket that lets a test intercept removals."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.sockets import unix_server

Step = Callable[[str], bool]
"""Called with the container's id; returns whether to forward the bytes. If not, the connection is closed."""

_DELETE = re.compile(rb"DELETE /\S*containers/([^\s?/]+)")


def go_on(container_id: str) -> bool:
    """Forward the bytes."""
    return True


class EngineProxy:
    """Forwards every connection to ``target``. ``seen`` are the containers whose removal was requested."""

    def __init__(self, target: Path, *, before: Step = go_on, after: Step = go_on) -> None:
        self.before = before
        self.after = after
        self.seen: list[str] = []
        self._target = target
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []

    @contextmanager
    def serve(self, path: Path) -> Iterator[str]:
        """Listen on a Unix socket while the block runs; yield its URL."""
        try:
            with unix_server(path, self._carry):
                yield f"unix://{path}"
        finally:
            with self._lock:
                for end in self._open:
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)

    def _carry(self, client: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX)
        with client, engine, contextlib.suppress(OSError):
            engine.connect(str(self._target))
            with self._lock:
                self._open += [client, engine]
            requested: list[str] = []
            down = threading.Thread(target=self._down, args=(engine, client, requested), daemon=True)
            down.start()
            try:
                self._up(client, engine, requested)
            finally:
                for end in (client, engine):
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
                down.join()

    def _up(self, client: socket.socket, engine: socket.socket, requested: list[str]) -> None:
        while data := client.recv(65536):
            found = _DELETE.search(data)
            if found is not None:
                container_id = found[1].decode()
                with self._lock:
                    self.seen.append(container_id)
                requested.append(container_id)
                if not self.before(container_id):
                    return
            engine.sendall(data)

    def _down(self, engine: socket.socket, client: socket.socket, requested: list[str]) -> None:
        with contextlib.suppress(OSError):
            while data := engine.recv(65536):
                # A connection carries one request at a time: these bytes are its response.
                if requested and not self.after(requested.pop()):
                    break
                client.sendall(data)
        for end in (engine, client):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
