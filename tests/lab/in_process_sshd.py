"""An SSH server in this process that accepts one key and forwards stream-local channels to one Unix socket."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from pathlib import Path

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

# A client that disconnects is not worth a log message.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

STREAMLOCAL = "direct-streamlocal@openssh.com"


class _Rules(paramiko.ServerInterface):
    def __init__(self, allowed: bytes) -> None:
        self._allowed = allowed

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return AUTH_SUCCESSFUL if key.asbytes() == self._allowed else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if kind == STREAMLOCAL:
            return OPEN_SUCCEEDED
        return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


class InProcessSshd:
    """Listens on a loopback port from ``start`` to ``stop``."""

    def __init__(self, host_key: Path, allowed_key: Path, target: Path) -> None:
        self._host_key = paramiko.PKey.from_path(host_key)
        self._allowed = paramiko.PKey.from_path(allowed_key).asbytes()
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._transports: list[paramiko.Transport] = []

    def start(self) -> None:
        """Start to accept connections."""
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Close the listener and every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for transport in self._transports:
            transport.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        transport = paramiko.Transport(connection)
        self._transports.append(transport)
        transport.add_server_key(self._host_key)
        try:
            transport.start_server(server=_Rules(self._allowed))
        except (paramiko.SSHException, EOFError, OSError):
            transport.close()
            return
        while transport.is_active():
            channel = transport.accept(1)
            if channel is not None:
                self._carry(channel)
        transport.close()

    def _carry(self, channel: paramiko.Channel) -> None:
        stream = socket.socket(socket.AF_UNIX)
        stream.connect(str(self._target))

        def up() -> None:
            with contextlib.suppress(OSError, EOFError):
                while data := channel.recv(65536):
                    stream.sendall(data)
                stream.shutdown(socket.SHUT_WR)

        def down() -> None:
            with contextlib.suppress(OSError, EOFError):
                while data := stream.recv(65536):
                    channel.sendall(data)
                channel.close()
            stream.close()

        for pump in (up, down):
            threading.Thread(target=pump, daemon=True).start()
