"""A TCP proxy to a port on this machine that can delay or withhold bytes, or reset the connection."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Shape = Callable[["Link", bytes, int], Iterator[bytes]]
"""Called with the link, new bytes, and the count of earlier bytes; yields the bytes to forward. Raises Cut to reset."""


class Cut(Exception):
    """Raised by a shape to reset the connection."""


def whole(link: Link, data: bytes, before: int) -> Iterator[bytes]:
    """Forward everything at once."""
    yield data


def hold_after(count: int) -> Shape:
    """Forward ``count`` bytes, then none, and keep the connection open."""

    def shape(link: Link, data: bytes, before: int) -> Iterator[bytes]:
        yield data[: max(0, count - before)]
        if before + len(data) > count:
            link.ended.wait()

    return shape


def cut_after(count: int) -> Shape:
    """Forward ``count`` bytes, then reset."""

    def shape(link: Link, data: bytes, before: int) -> Iterator[bytes]:
        yield data[: max(0, count - before)]
        if before + len(data) >= count:
            raise Cut

    return shape


def drip(seconds: float) -> Shape:
    """Forward one byte every ``seconds``."""

    def shape(link: Link, data: bytes, before: int) -> Iterator[bytes]:
        for number in range(len(data)):
            if link.ended.wait(seconds):
                return
            yield data[number : number + 1]

    return shape


def slow(piece: int, seconds: float, stall_every: int, stall: float) -> Shape:
    """Forward small pieces, each late, with a long stall now and then, as with lost packets."""

    def shape(link: Link, data: bytes, before: int) -> Iterator[bytes]:
        for at in range(0, len(data), piece):
            lost = (before + at) // piece % stall_every == stall_every - 1
            if link.ended.wait(stall if lost else seconds):
                return
            yield data[at : at + piece]

    return shape


class Link:
    """Listens on ``port`` of 127.0.0.1 and forwards to ``target``; ``up`` shapes requests, ``down`` responses."""

    def __init__(self, target: int, *, up: Shape = whole, down: Shape = whole) -> None:
        self.up = up
        self.down = down
        self.ended = threading.Event()
        self.accepted = 0
        self._target = target
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = int(self._listener.getsockname()[1])

    def cut(self) -> None:
        """Reset every open connection."""
        with self._lock:
            ends = list(self._open)
        for end in ends:
            _reset(end)

    @contextmanager
    def open(self) -> Iterator[Link]:
        """Forward while the block runs."""
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.ended.set()
            self._listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            self._listener.close()
            self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.socket() as server:
            try:
                server.connect(("127.0.0.1", self._target))
            except OSError:
                return
            with self._lock:
                self._open |= {client, server}
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            down = threading.Thread(target=self._pump, args=(server, client, self.down), daemon=True)
            down.start()
            self._pump(client, server, self.up)
            down.join()
            with self._lock:
                self._open -= {client, server}

    def _pump(self, source: socket.socket, sink: socket.socket, shape: Shape) -> None:
        passed = 0
        try:
            while data := source.recv(65536):
                for piece in shape(self, data, passed):
                    sink.sendall(piece)
                passed += len(data)
        except Cut:
            _reset(source)
            _reset(sink)
        except OSError:
            pass
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _reset(end: socket.socket) -> None:
    """Reset a connection. Other users of the socket get an error; the descriptor stays open."""
    # connect(2) with AF_UNSPEC aborts a TCP connection; Python has no call for it.
    nowhere = struct.pack("H14x", socket.AF_UNSPEC)
    with contextlib.suppress(OSError):
        ctypes.CDLL(None).connect(end.fileno(), nowhere, len(nowhere))
