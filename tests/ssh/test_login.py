"""Logging in over an open stream: success, and the phase and kind of each failure."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import ClassVar

import paramiko
import pytest
from paramiko.kex_curve25519 import KexCurve25519

from fleetsweep.errors import HostError, Phase
from fleetsweep.model.host import Host
from fleetsweep.runtime.deadline import Deadline, Watchdog
from fleetsweep.ssh.dial import Dialled
from fleetsweep.ssh.login import ServerDisconnected, log_in, log_out, open_keys
from fleetsweep.ssh.options import SshOptions, Trust
from fleetsweep.ssh.route import Hop, find_route
from tests.ssh.sshd import HOST_KEY, options_for, sshd


def hop_of(options: SshOptions, port: int = 22) -> Hop:
    return find_route(Host("box", "127.0.0.1", port=port), options).target


def fault_of(options: SshOptions, port: int, *, seconds: float = 20) -> HostError:
    with Watchdog() as watchdog:
        dialled = Dialled(socket.create_connection(("127.0.0.1", port)))
        hop = hop_of(options, port)
        with open_keys(hop) as keys, pytest.raises(HostError) as caught:
            log_in(hop, keys, dialled, Deadline(seconds, watchdog), seconds)
        assert isinstance(dialled.sock, socket.socket)
        assert dialled.sock.fileno() == -1, "the stream is closed after a failure"
    assert caught.value.remedy
    return caught.value


def disconnected(options: SshOptions, *data: bytes) -> HostError:
    """The fault of a server that sends ``data`` and closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as stream:
                for piece in data:
                    stream.sendall(piece)
                stream.shutdown(socket.SHUT_WR)
                while stream.recv(4096):
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        fault = fault_of(options, int(listener.getsockname()[1]))
        thread.join(20)
    return fault


def test_a_log_in_returns_the_server_with_the_fingerprint_of_its_key(tmp_path: Path) -> None:
    with sshd() as server, Watchdog() as watchdog:
        options = options_for(tmp_path, server)
        dialled = Dialled(socket.create_connection(("127.0.0.1", server.port)))
        hop = hop_of(options, server.port)
        with open_keys(hop) as keys:
            client, transport, found = log_in(hop, keys, dialled, Deadline(20, watchdog), 20)
        assert transport.is_authenticated()
        assert (found.user, found.key_type) == ("user", HOST_KEY.get_name())
        assert found.fingerprint.startswith("SHA256:")
        log_out(client, dialled.shut)
        assert not transport.is_alive()


def test_an_unknown_host_key_is_refused_before_a_key_is_offered(tmp_path: Path) -> None:
    with sshd() as server:
        fault = fault_of(options_for(tmp_path), server.port)
    assert (fault.phase, fault.kind) == (Phase.HOST_KEY, "unknown")


def test_a_new_host_key_is_saved_where_that_is_allowed(tmp_path: Path) -> None:
    with sshd() as server, Watchdog() as watchdog:
        options = options_for(tmp_path, host_key=Trust.ACCEPT_NEW)
        dialled = Dialled(socket.create_connection(("127.0.0.1", server.port)))
        hop = hop_of(options, server.port)
        with open_keys(hop) as keys:
            client, _, _ = log_in(hop, keys, dialled, Deadline(20, watchdog), 20)
        log_out(client, dialled.shut)
    assert HOST_KEY.get_base64() in (tmp_path / "known_hosts").read_text()


def test_a_key_that_the_server_refuses_is_denied_with_its_name(tmp_path: Path) -> None:
    other = tmp_path / "other"
    paramiko.ECDSAKey.generate().write_private_key_file(str(other))
    with sshd() as server:
        fault = fault_of(options_for(tmp_path, server, key_file=str(other)), server.port)
    assert (fault.phase, fault.kind) == (Phase.AUTH, "denied")
    assert f"refused {other}" in fault.message


def test_a_server_that_closes_the_connection_and_one_that_is_no_ssh_server_are_distinguished(tmp_path: Path) -> None:
    options = options_for(tmp_path)
    early, greeted = disconnected(options), disconnected(options, b"SSH-2.0-busy\r\n")
    assert isinstance(early, ServerDisconnected)
    assert isinstance(greeted, ServerDisconnected)
    assert (early.kind, early.greeted, greeted.greeted) == ("hung-up", False, True)
    dropped = disconnected(options, b"Welcome\r\nto the box\r\n", b"Not allowed at this time\r\n")
    assert isinstance(dropped, ServerDisconnected)
    assert (dropped.greeted, dropped.penalized, early.penalized) == (False, True, False)
    other = disconnected(options, b"HTTP/1.1 400 Bad Request\r\n", b"Content-Length: 0\r\n\r\n")
    assert (other.phase, other.kind) == (Phase.CONNECT, "not-ssh")


def test_a_server_that_stalls_costs_the_deadline_and_is_reported_with_its_stage(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fault = fault_of(options_for(tmp_path), int(listener.getsockname()[1]), seconds=0.2)
    assert (fault.phase, fault.kind) == (Phase.CONNECT, "timeout")
    assert "version line did not end within 0.2 s" in fault.message


def test_a_missing_key_file_is_reported_without_a_connection(tmp_path: Path) -> None:
    hop = hop_of(options_for(tmp_path, key_file=str(tmp_path / "none")))
    with pytest.raises(HostError, match="does not exist") as caught, open_keys(hop):
        pass
    assert (caught.value.phase, caught.value.kind) == (Phase.AUTH, "key-file")


class _InvalidPoint(KexCurve25519):
    """A server's half of a key exchange, with a public value that has no secret in common with any other."""

    def _parse_kexecdh_init(self, m: paramiko.Message) -> None:
        reply = paramiko.Message()
        reply.add_byte(b"\x1f")
        reply.add_string(HOST_KEY.asbytes())
        reply.add_string(bytes(32))
        reply.add_string(b"")
        self.transport._send_message(reply)  # type: ignore[attr-defined]  # not in the stubs


class _InvalidServer(paramiko.Transport):
    _preferred_kex = ("curve25519-sha256@libssh.org",)
    _kex_info: ClassVar = {"curve25519-sha256@libssh.org": _InvalidPoint}


def test_an_invalid_key_exchange_is_a_fault_and_no_bug(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            transport = _InvalidServer(listener.accept()[0])
            transport.add_server_key(HOST_KEY)
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(server=paramiko.ServerInterface())
            transport.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        fault = fault_of(options_for(tmp_path), int(listener.getsockname()[1]))
        thread.join(20)
    assert (fault.phase, fault.kind) == (Phase.CONNECT, "not-ssh")
    assert "sent an invalid key exchange" in fault.message
