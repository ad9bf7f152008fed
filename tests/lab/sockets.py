"""Sockets of the lab: whether one listens, a free port, and a server that has a thread for each client."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def accepts(address: Path | int) -> bool:
    """Return whether something listens on a Unix socket, or on a port of this machine."""
    if isinstance(address, int):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", address)) == 0
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(address)) == 0


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def unix_server(address: Path, serve: Callable[[socket.socket], None]) -> Iterator[None]:
    """Listen on a Unix socket while the block runs, and call ``serve`` with each client in a thread of its own."""

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen(64)
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
