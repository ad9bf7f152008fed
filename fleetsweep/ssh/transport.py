"""paramiko's Transport with the one channel kind that it lacks, and without the timers that it has.

paramiko bounds each of its waits by the wall clock and by a guess (15 s, 30 s, 2 s a line). Here the host's own
deadline shuts the socket, which ends every one of them: a guess that ran out first would be told as another fault.
"""

from __future__ import annotations

import threading
import time
from typing import Final

import paramiko
from paramiko.common import DEFAULT_MAX_PACKET_SIZE, DEFAULT_WINDOW_SIZE, cMSG_CHANNEL_OPEN
from paramiko.packet import Packetizer

from fleetsweep.ssh.dial import Socket

FOREVER_S: Final = 1e9

GREETING_LIMIT: Final = 64 * 1024
"""Bytes. A server may say something before its version line (RFC 4253, 4.2): this is more than any has to say."""


class UnendingGreetingError(paramiko.SSHException):
    """The server talks on and no version line is among it."""


READ_SIZE: Final = 32 * 1024
"""Bytes that are asked of the socket at once."""


class _ReadAhead:
    """A socket, or what stands for one, that is read by larger pieces than it is asked for.

    paramiko asks for each packet's first block and then for its rest. Every look at the socket gives up the
    interpreter, which hundreds of threads want.
    """

    def __init__(self, sock: Socket) -> None:
        self._sock = sock
        self._held = b""
        self.send = sock.send
        self.close = sock.close

    def recv(self, count: int) -> bytes:
        """At most ``count`` bytes; none at the end. Raises what the socket's own ``recv`` raises."""
        if not self._held:
            self._held = self._sock.recv(READ_SIZE)
        taken, self._held = self._held[:count], self._held[count:]
        return taken


class _Packetizer(Packetizer):
    """Reads ahead, a greeting within a bound, and starts no timer thread for each handshake."""

    def __init__(self, sock: Socket) -> None:
        super().__init__(_ReadAhead(sock))  # type: ignore[arg-type]
        self._taken = 0
        self.greeting: list[str] = []

    def start_handshake(self, timeout: float) -> None:
        """Do nothing: paramiko's timer would outlive a handshake that stalls."""

    def readline(self, timeout: float) -> str:
        """One line of the greeting. paramiko joins and searches what came so far at each 128 bytes."""
        line = super().readline(FOREVER_S)
        self.greeting.append(line)
        return line

    def _read_timeout(self, timeout: float) -> bytes:
        data: bytes = super()._read_timeout(timeout)  # type: ignore[misc]
        self._taken += len(data)
        if self._taken > GREETING_LIMIT:
            raise UnendingGreetingError(f"{GREETING_LIMIT // 1024} KiB came and no version line")
        return data


class StreamlocalTransport(paramiko.Transport):
    """Adds ``direct-streamlocal@openssh.com`` (OpenSSH's PROTOCOL, section 2.4).

    ``last_key`` is the key that was offered last; ``farewell`` what the server said when it ended the connection.
    """

    active: bool
    packetizer: _Packetizer

    # GCM first: it checks each packet in the cipher itself; paramiko compares the others' checksums in Python.
    _preferred_ciphers = tuple(
        sorted(paramiko.Transport._preferred_ciphers, key=lambda name: "gcm" not in name)  # type: ignore[attr-defined]
    )

    # Seconds between looks at whether it was closed. Ours is shut when it is: hundreds that wait need not wake for it.
    _active_check_timeout = 1.0

    def __init__(self, sock: Socket, **kwargs: object) -> None:
        super().__init__(sock, packetizer_class=_Packetizer, **kwargs)  # type: ignore[arg-type]
        self.auth_timeout = None  # type: ignore[assignment]
        self.clear_to_send_timeout = FOREVER_S
        self.last_key: paramiko.PKey | None = None
        self.farewell = ""

    @property
    def greeting(self) -> list[str]:
        """What the server said before its version line."""
        return [line for line in self.packetizer.greeting if not line.startswith("SSH-")]

    def auth_publickey(self, username: str, key: paramiko.PKey, event: threading.Event | None = None) -> list[str]:
        """As paramiko's, which doesn't tell afterwards which key it was."""
        self.last_key = key
        return super().auth_publickey(username, key, event)

    def _log(self, level: int, msg: str | list[str], *args: object) -> None:
        """Drop what no log takes before it is worked on: there are dozens of lines a connection."""
        if self.logger.isEnabledFor(level):
            super()._log(level, msg, *args)  # type: ignore[misc]

    def _filter_algorithm(self, type_: str) -> tuple[str, ...]:
        """As paramiko's, which sifts every name at each of a connection's 16 looks though nothing is disabled."""
        if self.disabled_algorithms:
            return tuple(super()._filter_algorithm(type_))  # type: ignore[misc]
        return tuple(getattr(self, f"_preferred_{type_}"))

    def _parse_debug(self, message: paramiko.Message) -> None:
        """Pass over sshd's debug messages: paramiko would render each byte by byte, for a log that nobody keeps."""

    def _parse_disconnect(self, message: paramiko.Message) -> None:
        message.get_int()
        self.farewell = message.get_string().decode("utf-8", "replace")

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
