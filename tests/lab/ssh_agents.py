"""SSH agents: OpenSSH's own, and a simulated one with a security key."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.lab.process import Daemon, wait_for
from tests.lab.sockets import accepts, unix_server


@contextmanager
def ssh_agent(address: Path, *keys: Path) -> Iterator[str]:
    """A real ssh-agent that holds these keys while the block runs."""
    agent = Daemon(["ssh-agent", "-D", "-a", str(address)], address.with_suffix(".log"))
    try:
        # The socket exists a moment before the agent listens.
        wait_for(lambda: accepts(address), "ssh-agent listening")
        environment = {**os.environ, "SSH_AUTH_SOCK": str(address)}
        for key in keys:
            subprocess.run(["ssh-add", "-q", str(key)], check=True, env=environment, stdin=subprocess.DEVNULL)
        yield str(address)
    finally:
        agent.stop()


def _string(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


class TokenAgent:
    """Serves the agent protocol for one key of type sk-ssh-ed25519, touched at every signature (PROTOCOL.u2f)."""

    KIND = b"sk-ssh-ed25519@openssh.com"

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.blob = _string(self.KIND) + _string(self._key.public_key().public_bytes_raw()) + _string(b"ssh:")
        self.signed = 0

    @property
    def public_line(self) -> str:
        """The key as a line of authorized_keys."""
        return f"{self.KIND.decode()} {base64.b64encode(self.blob).decode()} token\n"

    @contextmanager
    def serve(self, address: Path) -> Iterator[str]:
        """Listen on a Unix socket while the block runs."""
        with unix_server(address, self._serve_client):
            yield str(address)

    def _serve_client(self, client: socket.socket) -> None:
        with client, suppress(OSError, struct.error), client.makefile("rb") as lines:
            while head := lines.read(4):
                client.sendall(_string(self._reply(lines.read(*struct.unpack(">I", head)))))

    def _reply(self, request: bytes) -> bytes:
        if request[0] == 11:
            return bytes([12]) + struct.pack(">I", 1) + _string(self.blob) + _string(b"token")
        length = struct.unpack(">I", request[1:5])[0]
        rest = request[5 + length :]
        data = rest[4 : 4 + struct.unpack(">I", rest[:4])[0]]
        self.signed += 1
        touched = bytes([1]) + struct.pack(">I", self.signed)
        signature = self._key.sign(hashlib.sha256(b"ssh:").digest() + touched + hashlib.sha256(data).digest())
        return bytes([14]) + _string(_string(self.KIND) + _string(signature) + touched)
