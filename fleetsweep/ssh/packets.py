"""paramiko's Packetizer on a buffered stream: it can wait for the next packet, and limits what precedes the first."""

from __future__ import annotations

import socket
import struct
from typing import Final

import paramiko
from paramiko.packet import Packetizer

from fleetsweep.ssh.dial import Socket

CHECK_S: Final = 1.0
"""Seconds between two checks, in each wait, for a connection that ended without waking up those that wait."""

GREETING_LIMIT: Final = 64 * 1024
"""Bytes of all lines up to the version line. A server may send others before it (RFC 4253, 4.2)."""

READ_SIZE: Final = 32 * 1024
"""Bytes of one read from the socket."""


class GreetingTooLongError(paramiko.SSHException):
    """The server sent ``GREETING_LIMIT`` bytes without a version line."""


class ReadAhead:
    """A socket or channel with a read buffer. Its reads fail with BlockingIOError or TimeoutError after a while.

    paramiko tries again then. It reads each packet's first block and then the rest. Every read from a socket releases
    the interpreter lock, for which hundreds of threads compete.
    """

    def __init__(self, sock: Socket) -> None:
        self._sock = sock
        self._buffer = b""
        self._limit_s: float | None = None
        self.send = sock.send
        self.close = sock.close
        if isinstance(sock, socket.socket):
            # With a timeout of its own, Python would poll before each read and write.
            sock.settimeout(None)

    def recv(self, count: int) -> bytes:
        """Return at most ``count`` bytes, or none at the end. Raises what the socket's ``recv`` raises."""
        if not self._buffer:
            self._buffer = self._sock.recv(READ_SIZE)
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def put_back(self, data: bytes) -> None:
        """Return ``data`` again before anything else."""
        self._buffer = data + self._buffer

    def wait(self, seconds: float) -> bool:
        """Wait at most so many seconds, up to ``CHECK_S``. Return whether bytes came, or the end of the stream.

        Raises what the socket's ``recv`` raises.
        """
        if self._buffer:
            return True
        try:
            if seconds > 0:
                self._limit(min(seconds, CHECK_S))
                self._buffer = self._sock.recv(READ_SIZE)
            else:
                self._buffer = self._recv_now()
        except (BlockingIOError, TimeoutError):
            return False
        return True

    def _recv_now(self) -> bytes:
        if isinstance(self._sock, socket.socket):
            return self._sock.recv(READ_SIZE, socket.MSG_DONTWAIT)
        self._sock.settimeout(0.0)
        try:
            return self._sock.recv(READ_SIZE)
        finally:
            # paramiko's next read or write would spin.
            self._sock.settimeout(self._limit_s or CHECK_S)

    def _limit(self, seconds: float) -> None:
        """Let the kernel end each further read after so many seconds, which needs no call before the read."""
        if seconds == self._limit_s:
            return
        self._limit_s = seconds
        if isinstance(self._sock, socket.socket):
            whole, rest = divmod(max(1, int(seconds * 1e6)), 1_000_000)
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", whole, rest))
        else:
            self._sock.settimeout(seconds)


class BufferedPacketizer(Packetizer):
    """Reads through a buffer, can wait for a packet, and limits the greeting."""

    def __init__(self, sock: Socket) -> None:
        self._stream = ReadAhead(sock)
        super().__init__(self._stream)  # type: ignore[arg-type]
        self.greeting: list[str] = []

    def wait(self, seconds: float) -> bool:
        """Wait for the next packet as ``ReadAhead.wait`` does. The rest of a packet is awaited without a limit."""
        return self._stream.wait(seconds)

    def readline(self, timeout: float) -> str:
        """Return the server's version line, and record the lines before it.

        paramiko's own gives up at 100 lines or at a byte that is not UTF-8.
        """
        unread, size = b"", 0
        while True:
            data, newline, rest = unread.partition(b"\n")
            if size + len(data) > GREETING_LIMIT:
                raise GreetingTooLongError(f"{GREETING_LIMIT // 1024} KiB without a version line")
            if not newline:
                unread += self._read_some()
                continue
            line = data.removesuffix(b"\r").decode("utf-8", "replace")
            if line.startswith("SSH-"):
                self._stream.put_back(rest)
                return line
            self.greeting.append(line)
            unread, size = rest, size + len(data) + 1

    def _read_some(self) -> bytes:
        while not self._stream.wait(CHECK_S):
            if self.closed:
                raise EOFError
        data = self._stream.recv(READ_SIZE)
        if not data:
            raise EOFError
        return data
