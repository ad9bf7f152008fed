"""A command on the box as a byte stream: its input, its output, and what it complained of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import paramiko
from paramiko.common import cMSG_CHANNEL_REQUEST

from fleetsweep.runtime.deadline import Deadline

MOST_WORDS: Final = 2000
"""Bytes that are kept of what a command says on each of its streams."""

_STATUS_WAIT_S: Final = 0.5


class CommandStream:
    """Standard input and output of one command, as an engine's client wants a stream."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._read = False
        self.closed = False

    def sendall(self, data: bytes) -> None:
        """Write all of ``data``."""
        self._channel.sendall(data)

    def recv(self, nbytes: int) -> bytes:
        """What the command printed, at most so many bytes; none at its end."""
        self._read = True
        return self._channel.recv(nbytes)

    def settimeout(self, value: float | None) -> None:
        """Bound each following read and write, in seconds."""
        self._channel.settimeout(value)

    def read_whole(self, limit: int, deadline: Deadline) -> bytes:
        """Give the command no input, and read what it prints until its end. Raises OSError at the deadline."""
        self._channel.shutdown_write()
        found = b""
        while len(found) < limit:
            self._channel.settimeout(deadline.remaining())
            more = self._channel.recv(limit - len(found))
            if not more:
                break
            found += more
        return found

    def close(self) -> None:
        """End the stream, and the command with it."""
        if self.closed:
            return
        self.closed = True
        try:
            self._channel.shutdown_write()
            # dial-stdio ends when its input does, in milliseconds; what ended by itself is about to tell its status.
            if not self._channel.status_event.wait(_STATUS_WAIT_S):
                self._hang_up()
            self._channel.close()
        except (paramiko.SSHException, EOFError, OSError):
            # The connection went first, and the channel with it.
            return

    def _hang_up(self) -> None:
        """Have the command told that nobody listens (RFC 4254, 6.9): one that waits for its engine would stay."""
        request = paramiko.Message()
        request.add_byte(cMSG_CHANNEL_REQUEST)
        request.add_int(self._channel.remote_chanid)
        request.add_string("signal")
        request.add_boolean(False)
        request.add_string("HUP")
        self._channel.transport._send_user_message(request)  # type: ignore[union-attr]

    def last_words(self) -> str:
        """What the command complained of; empty if it said nothing and has no exit status. Never blocks.

        That is its standard error, and its output where nobody read any: a command that ends before it is written to,
        like a login shell that declines, is never read from.
        """
        channel = self._channel
        # sshd ends the output only when all that was said has been sent: it is here.
        found = _what_came(channel.recv_stderr_ready, channel.recv_stderr)
        if not self._read:
            found += b"\n" + _what_came(channel.recv_ready, channel.recv)
        words = "; ".join(line.strip() for line in found.decode(errors="replace").splitlines() if line.strip())
        if not words and channel.exit_status >= 0:
            return f"it ended with exit status {channel.exit_status} and no word"
        return words


def _what_came(ready: Callable[[], bool], recv: Callable[[int], bytes]) -> bytes:
    found = b""
    while len(found) < MOST_WORDS and ready():
        more = recv(MOST_WORDS - len(found))
        if not more:
            break
        found += more
    return found
