"""A channel that carries bytes to a socket or a port on a box."""

from __future__ import annotations

import math
import time

import paramiko

from fleetsweep.ssh.message_loop import MessageLoop


class StreamChannel(paramiko.Channel):
    """A paramiko Channel whose reads and writes read the connection's messages while they wait."""

    transport: MessageLoop

    def recv(self, nbytes: int) -> bytes:
        """Return at most ``nbytes`` bytes, or none at the end. Raises TimeoutError after ``settimeout``'s seconds."""
        self.transport.read_until(self._may_read, self._ends())
        return super().recv(nbytes)

    def send(self, s: bytes | bytearray) -> int:
        """Send some of ``s`` and return how many bytes. Raises TimeoutError as ``recv`` does, and OSError."""
        self.transport.read_until(self._may_write, self._ends())
        return super().send(s)

    def _may_read(self) -> bool:
        return self.recv_ready() or bool(self.eof_received) or self.closed

    def _may_write(self) -> bool:
        return bool(self.out_window_size) or bool(self.eof_sent) or self.closed

    def _ends(self) -> float:
        return math.inf if self.timeout is None else time.monotonic() + self.timeout
