"""A command on the box as a byte stream: its standard input and output, and its error output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import paramiko
from paramiko.common import cMSG_CHANNEL_REQUEST

from fleetsweep.runtime.deadline import Deadline

ERROR_LIMIT: Final = 2000
"""Bytes that ``error_output`` reads of each output stream."""

_STATUS_WAIT_S: Final = 0.5


class CommandStream:
    """The standard input and output of one command, as the stream of an engine's client."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._read = False
        self.closed = False

    def sendall(self, data: bytes) -> None:
        """Write all of ``data``."""
        self._channel.sendall(data)

    def recv(self, nbytes: int) -> bytes:
        """Return at most ``nbytes`` bytes of the command's output, or none at its end."""
        self._read = True
        return self._channel.recv(nbytes)

    def settimeout(self, value: float | None) -> None:
        """Limit each following read and write to ``value`` seconds."""
        self._channel.settimeout(value)

    def read_all(self, limit: int, deadline: Deadline) -> bytes:
        """Close the command's input and return its output, up to ``limit`` bytes. Raises OSError at the deadline."""
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
        """Close the stream and end the command."""
        if self.closed:
            return
        self.closed = True
        try:
            self._channel.shutdown_write()
            # dial-stdio ends within milliseconds of its input's end and then sends its exit status.
            if not self._channel.status_event.wait(_STATUS_WAIT_S):
                self._send_hangup()
            self._channel.close()
        except (paramiko.SSHException, EOFError, OSError):
            # The connection has ended already, and the channel with it.
            return

    def _send_hangup(self) -> None:
        """Send SIGHUP to the command (RFC 4254, 6.9): one that waits for its engine would otherwise keep running."""
        request = paramiko.Message()
        request.add_byte(cMSG_CHANNEL_REQUEST)
        request.add_int(self._channel.remote_chanid)
        request.add_string("signal")
        request.add_boolean(False)
        request.add_string("HUP")
        self._channel.transport._send_user_message(request)  # type: ignore[union-attr]

    def error_output(self) -> str:
        """Return the command's error output; empty if it printed none and has no exit status. Never blocks.

        Its standard output is included if none of it was read yet: a command that ends before it is written to, such
        as a restricted login shell, prints its refusal there.
        """
        channel = self._channel
        # sshd ends the output only after it has sent everything, so all of it has been received.
        found = _received(channel.recv_stderr_ready, channel.recv_stderr)
        if not self._read:
            found += b"\n" + _received(channel.recv_ready, channel.recv)
        text = "; ".join(line.strip() for line in found.decode(errors="replace").splitlines() if line.strip())
        if not text and channel.exit_status >= 0:
            return f"it ended with exit status {channel.exit_status} and no message"
        return text


def _received(ready: Callable[[], bool], recv: Callable[[int], bytes]) -> bytes:
    found = b""
    while len(found) < ERROR_LIMIT and ready():
        more = recv(ERROR_LIMIT - len(found))
        if not more:
            break
        found += more
    return found
