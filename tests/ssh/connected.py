"""A transport that is logged in to a small SSH server, and streams over it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko

from fleetsweep.ssh.channel import StreamChannel
from fleetsweep.ssh.transport import StreamlocalTransport
from tests.ssh.sshd import USER_KEY, Sshd

WAIT_S = 20.0


@contextmanager
def connected(server: Sshd) -> Iterator[StreamlocalTransport]:
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        transport = StreamlocalTransport(sock)
        try:
            transport.start_client()
            transport.auth_publickey("user", USER_KEY)
            yield transport
        finally:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            if transport.is_alive():
                transport.join(WAIT_S)
            transport.close()


def opened(transport: StreamlocalTransport, timeout: float = WAIT_S) -> StreamChannel:
    channel = transport.open_streamlocal("/run/engine.sock", WAIT_S)
    channel.settimeout(timeout)
    return channel


def echoed(channel: StreamChannel, data: bytes) -> bytes:
    channel.sendall(data)
    received = b""
    while len(received) < len(data):
        received += channel.recv(65536)
    return received


def others(server: Sshd) -> list[paramiko.Channel]:
    """The server's ends of the open channels."""
    return list(server.transports[0]._channels.values())  # type: ignore[attr-defined]
