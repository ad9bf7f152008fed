"""A small SSH server in this process: sessions with scripted commands, stream-local echo, and TCP forwarding."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_FAILED_CONNECT_FAILED,
    OPEN_SUCCEEDED,
)

from fleetsweep.ssh.options import SshOptions, Trust

HOST_KEY = paramiko.ECDSAKey.generate()
USER_KEY = paramiko.ECDSAKey.generate()
STREAMLOCAL = "direct-streamlocal@openssh.com"


@dataclass(frozen=True, slots=True)
class Output:
    """A command's result. ``waits``: it ends when its input does. ``status`` None: it never reports one."""

    out: bytes = b""
    err: bytes = b""
    status: int | None = 0
    waits: bool = False


class _Interface(paramiko.ServerInterface):
    def __init__(self, sshd: Sshd) -> None:
        self._sshd = sshd
        self._kinds: dict[int, str] = {}
        self._forwarded: dict[int, socket.socket] = {}

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return AUTH_SUCCESSFUL if key.asbytes() == USER_KEY.asbytes() else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if kind not in self._sshd.channels:
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        self._kinds[chanid] = kind
        return OPEN_SUCCEEDED

    def start(self, channel: paramiko.Channel) -> None:
        """Serve an open channel. A session is served by its command."""
        if self._kinds.get(channel.chanid) == STREAMLOCAL:
            threading.Thread(target=_echo, args=(channel,), daemon=True).start()
        elif channel.chanid in self._forwarded:
            _join(channel, self._forwarded.pop(channel.chanid))

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        if "direct-tcpip" not in self._sshd.channels:
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        try:
            self._forwarded[chanid] = socket.create_connection(destination, timeout=5)
        except OSError:
            return OPEN_FAILED_CONNECT_FAILED
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        output = self._sshd.commands.get(command.decode())
        if output is None:
            return False
        threading.Thread(target=_run, args=(channel, output), daemon=True).start()
        return True


@dataclass
class Sshd:
    """Listens on a loopback port. ``channels`` are the kinds that it opens, ``commands`` those that it runs."""

    port: int
    channels: set[str] = field(default_factory=lambda: {"session", "direct-tcpip", STREAMLOCAL})
    commands: dict[str, Output] = field(default_factory=dict)
    transports: list[paramiko.Transport] = field(default_factory=list)
    transport_class: type[paramiko.Transport] = paramiko.Transport

    def serve(self, connection: socket.socket) -> None:
        """Serve one connection until it ends."""
        transport = self.transport_class(connection)
        self.transports.append(transport)
        transport.add_server_key(HOST_KEY)
        interface = _Interface(self)
        try:
            transport.start_server(server=interface)
        except (paramiko.SSHException, EOFError, OSError):
            transport.close()
            return
        while transport.is_active():
            channel = transport.accept(0.2)
            if channel is not None:
                interface.start(channel)

    def disconnect(self) -> None:
        """Close every connection."""
        for transport in self.transports:
            transport.close()


def _run(channel: paramiko.Channel, output: Output) -> None:
    with contextlib.suppress(OSError, EOFError):
        # The reply to this round trip is handled after the exec request was confirmed: no output comes before that.
        channel.get_transport().global_request("round-trip", wait=True)
        channel.sendall(output.out)
        channel.sendall_stderr(output.err)
        while output.waits and channel.recv(1024):
            pass
        if output.status is not None:
            channel.send_exit_status(output.status)
            channel.close()


def _echo(channel: paramiko.Channel) -> None:
    with contextlib.suppress(OSError, EOFError):
        while data := channel.recv(1024):
            channel.sendall(data)
        channel.close()


def _join(channel: paramiko.Channel, stream: socket.socket) -> None:
    stream.settimeout(None)

    def up() -> None:
        with contextlib.suppress(OSError, EOFError):
            while data := channel.recv(65536):
                stream.sendall(data)
            stream.shutdown(socket.SHUT_RDWR)

    def down() -> None:
        with contextlib.suppress(OSError, EOFError), stream:
            while data := stream.recv(65536):
                channel.sendall(data)
        with contextlib.suppress(OSError, EOFError):
            channel.close()

    for pump in (up, down):
        threading.Thread(target=pump, daemon=True).start()


@contextmanager
def sshd() -> Iterator[Sshd]:
    """Run a server until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Sshd(int(listener.getsockname()[1]))

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=server.serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            server.disconnect()


def options_for(directory: Path, *servers: Sshd, **changed: object) -> SshOptions:
    """Options with the user's key, and a known_hosts file that has the servers' keys."""
    key, known_hosts, config = directory / "key", directory / "known_hosts", directory / "config"
    if not key.exists():
        USER_KEY.write_private_key_file(str(key))
    lines = (f"[127.0.0.1]:{server.port} {HOST_KEY.get_name()} {HOST_KEY.get_base64()}\n" for server in servers)
    known_hosts.write_text("".join(lines))
    config.touch()
    given: dict[str, object] = {
        "user": "user",
        "key_file": str(key),
        "known_hosts": (str(known_hosts),),
        "ssh_config": str(config),
        "host_key": Trust.STRICT,
    }
    return SshOptions(**{**given, **changed})  # type: ignore[arg-type]
