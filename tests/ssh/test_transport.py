"""The transport: stream-local channels, the limits of a greeting, and what it records of a connection."""

from __future__ import annotations

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko
import pytest

from fleetsweep.ssh.transport import StreamlocalTransport
from tests.ssh.connected import connected
from tests.ssh.sshd import USER_KEY, sshd


def test_a_stream_local_channel_is_opened_without_a_session() -> None:
    with sshd() as server:
        server.channels.discard("session")
        with connected(server) as transport:
            channel = transport.open_streamlocal("/run/engine.sock", 20)
            channel.sendall(b"ping")
            assert channel.recv(4) == b"ping"
            with pytest.raises(paramiko.ChannelException):
                transport.open_session(timeout=20)


def test_a_refused_stream_local_channel_raises_the_servers_code() -> None:
    with sshd() as server, connected(server) as transport:
        server.channels.clear()
        with pytest.raises(paramiko.ChannelException) as caught:
            transport.open_streamlocal("/run/engine.sock", 20)
    assert caught.value.code == 1


def test_streams_that_are_refused_at_once_each_raise_the_servers_code() -> None:
    # The hosts behind one bastion share its transport.
    with sshd() as server, connected(server) as transport, ThreadPoolExecutor(8) as pool:
        server.channels.clear()
        opened = [pool.submit(transport.open_direct, "127.0.0.1", 9, 20.0) for _ in range(40)]
        codes = {getattr(each.exception(), "code", each.exception()) for each in opened}
    assert codes == {1}


def test_the_last_offered_key_is_recorded() -> None:
    with sshd() as server, connected(server) as transport:
        assert transport.last_key is USER_KEY


def test_authenticated_ciphers_are_preferred() -> None:
    with sshd() as server, connected(server) as transport:
        assert "gcm" in transport.get_security_options().ciphers[0]
        assert "gcm" in server.transports[0].local_cipher


def test_a_mismatch_names_both_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    with sshd() as server, connected(server) as transport:
        assert transport.find_mismatch() is None
        monkeypatch.setattr(transport, "_preferred_kex", ("strange-kex",))
        found = transport.find_mismatch()
    assert found is not None
    assert (found.kind, found.ours) == ("key exchange", ("strange-kex",))
    assert "ecdh-sha2-nistp256" in found.theirs


def test_the_rfcs_name_of_curve25519_is_offered_before_the_older_one() -> None:
    names = StreamlocalTransport._preferred_kex
    assert names.index("curve25519-sha256") + 1 == names.index("curve25519-sha256@libssh.org")


def test_the_manual_lists_the_algorithms_in_their_order() -> None:
    section = Path("docs/ssh.md").read_text().partition("### Algorithms")[2].partition("\n## ")[0]
    rows = [row.split(" | ") for row in section.splitlines() if row.startswith("| `")]
    listed = {row[0].split("`")[1]: re.findall("`([^`]+)`", row[1]) for row in rows}
    # The manual names what paramiko has only since 5.1.
    release = tuple(int(part) for part in paramiko.__version__.split(".")[:2])
    newest = [] if release >= (5, 1) else ["mlkem768x25519-sha256"]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        transport = StreamlocalTransport(ours)
        assert listed == {
            "KexAlgorithms": [*newest, *transport.preferred_kex],
            "HostKeyAlgorithms": [name for name in transport.preferred_keys if "cert" not in name],
            "Ciphers": [*transport.preferred_ciphers],
            "MACs": [*transport.preferred_macs],
        }


def test_certificates_are_asked_for_last_unless_they_are_preferred() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        transport = StreamlocalTransport(ours)
        plain, certificate = "ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com"
        assert transport.preferred_keys.index(plain) < transport.preferred_keys.index(certificate)
        transport.prefer_certificates()
        assert transport.preferred_keys[0] == certificate
        assert transport.preferred_keys.index(plain) == len(transport.preferred_keys) // 2
