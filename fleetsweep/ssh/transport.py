"""paramiko's Transport with the one channel kind that it lacks: a stream to the server's Unix socket."""

from __future__ import annotations

import threading
import time

import paramiko
from paramiko.common import DEFAULT_MAX_PACKET_SIZE, DEFAULT_WINDOW_SIZE, cMSG_CHANNEL_OPEN


class StreamlocalTransport(paramiko.Transport):
    """Adds ``direct-streamlocal@openssh.com`` (OpenSSH's PROTOCOL, section 2.4)."""

    active: bool

    def open_streamlocal(self, path: str, timeout: float) -> paramiko.Channel:
        """Open a stream to the Unix socket ``path`` on the server.

        No shell, no Docker CLI and no process runs on the box for it. Raises paramiko.ChannelException when the
        server refuses, TimeoutError when it does not answer within ``timeout`` seconds, and what ended the
        connection if it ended.
        """
        opened = threading.Event()
        with self.lock:
            number: int = self._next_channel()  # type: ignore[attr-defined]
            channel = paramiko.Channel(number)
            self._channels.put(number, channel)  # type: ignore[attr-defined]
            self.channel_events[number] = opened
            self.channels_seen[number] = True
            channel._set_transport(self)  # type: ignore[attr-defined]
            channel._set_window(DEFAULT_WINDOW_SIZE, DEFAULT_MAX_PACKET_SIZE)  # type: ignore[attr-defined]
        request = paramiko.Message()
        request.add_byte(cMSG_CHANNEL_OPEN)
        request.add_string("direct-streamlocal@openssh.com")
        request.add_int(number)
        request.add_int(DEFAULT_WINDOW_SIZE)
        request.add_int(DEFAULT_MAX_PACKET_SIZE)
        request.add_string(path)
        request.add_string("")
        request.add_int(0)
        self._send_user_message(request)  # type: ignore[attr-defined]
        ends = time.monotonic() + timeout
        # In slices: a connection that ended before the event was registered never sets it.
        while not opened.wait(0.1) and self.active:
            if time.monotonic() >= ends:
                raise TimeoutError(f"no answer to the channel request within {timeout:.0f} s")
        if not self.active:
            raise self.get_exception() or EOFError("the connection ended")
        registered: object = self._channels.get(number)  # type: ignore[attr-defined]
        if registered is not channel:
            raise self.get_exception() or paramiko.SSHException("the server refused the channel")
        return channel
