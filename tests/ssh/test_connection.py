"""One SSH connection: its streams, its refusals, and its retries."""

from __future__ import annotations

import gc
import socket
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fleetsweep.errors import HostError, Phase
from fleetsweep.model.host import Host
from fleetsweep.runtime.deadline import Deadline, Watchdog
from fleetsweep.ssh.bastions import Bastions
from fleetsweep.ssh.connection import (
    MAX_GREETED_ATTEMPTS,
    PENALIZED_DELAYS_S,
    ChannelRefused,
    SshConnection,
    connect,
)
from fleetsweep.ssh.options import SshOptions
from tests.ssh.sshd import HOST_KEY, STREAMLOCAL, Output, Sshd, options_for, sshd


@contextmanager
def connected(server: Sshd, directory: Path) -> Iterator[tuple[SshConnection, Deadline]]:
    with Watchdog() as watchdog, Bastions() as bastions:
        deadline = Deadline(20, watchdog)
        host = Host("box", "127.0.0.1", port=server.port)
        with connect(host, options_for(directory, server), deadline, bastions) as connection:
            yield connection, deadline


def test_a_stream_to_a_unix_socket_carries_bytes_both_ways(tmp_path: Path) -> None:
    with sshd() as server, connected(server, tmp_path) as (connection, deadline):
        stream = connection.open_unix("/run/engine.sock", deadline)
        stream.sendall(b"ping")
        assert stream.recv(4) == b"ping"
        assert (connection.server.user, connection.server.key_type) == ("user", HOST_KEY.get_name())


def test_what_a_connection_held_is_freed_at_its_end_without_the_garbage_collector(tmp_path: Path) -> None:
    # A thousand connections would wait for it with 70 KB each.
    gc.collect()
    gc.disable()
    try:
        with sshd() as server, connected(server, tmp_path) as (connection, deadline):
            stream = connection.open_unix("/run/engine.sock", deadline)
            transport = connection._transport
            held = (connection, stream, transport, transport.packetizer, transport.sock)
            seen = [weakref.ref(each) for each in held]
            del held, transport
        del stream, connection
        assert [each() for each in seen] == [None] * len(seen)
    finally:
        gc.enable()


def test_the_phases_are_observed_in_order_with_the_verified_key(tmp_path: Path) -> None:
    seen: list[Phase] = []
    with sshd() as server, Watchdog() as watchdog, Bastions() as bastions:
        host = Host("box", "127.0.0.1", port=server.port)
        options = options_for(tmp_path, server)
        with connect(host, options, Deadline(20, watchdog), bastions, lambda phase, _: seen.append(phase)):
            assert seen == [Phase.RESOLVE, Phase.CONNECT, Phase.HOST_KEY, Phase.AUTH]


def test_a_forbidden_stream_and_one_whose_far_end_refuses_are_distinguished(tmp_path: Path) -> None:
    with sshd() as server, connected(server, tmp_path) as (connection, deadline):
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = int(unused.getsockname()[1])
        with pytest.raises(ChannelRefused) as refused:
            connection.open_tcp("127.0.0.1", port, deadline)
        server.channels.clear()
        with pytest.raises(ChannelRefused) as forbidden:
            connection.open_unix("/run/engine.sock", deadline)
    assert (refused.value.kind, refused.value.forbidden) == ("refused", False)
    assert (forbidden.value.kind, forbidden.value.forbidden) == ("forbidden", True)


def test_a_commands_output_is_returned_and_that_of_a_refused_one_is_empty(tmp_path: Path) -> None:
    with sshd() as server, connected(server, tmp_path) as (connection, deadline):
        server.commands["id"] = Output(b"uid=0(root)\n")
        with pytest.raises(ChannelRefused, match="runs no command"):
            connection.open_command("unknown", deadline)
        assert connection.run("unknown", deadline) == ""
        assert connection.run("id", deadline) == "uid=0(root)\n"


def test_a_connection_that_ends_is_lost_and_not_refused(tmp_path: Path) -> None:
    with sshd() as server, connected(server, tmp_path) as (connection, deadline):
        server.disconnect()
        with pytest.raises(HostError) as caught:
            connection.open_unix("/run/engine.sock", deadline)
    assert (caught.value.phase, caught.value.kind) == (Phase.TUNNEL, "lost")


def test_a_server_that_disconnects_after_its_version_line_is_retried_a_few_times(tmp_path: Path) -> None:
    accepted: list[str] = []

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def disconnect_each() -> None:
            while len(accepted) < MAX_GREETED_ATTEMPTS:
                with listener.accept()[0] as stream:
                    stream.sendall(b"SSH-2.0-busy\r\n")
                    accepted.append("connection")

        thread = threading.Thread(target=disconnect_each, daemon=True)
        thread.start()
        server = Sshd(int(listener.getsockname()[1]))
        with pytest.raises(HostError) as caught, connected(server, tmp_path):
            pass
        thread.join(20)
    assert len(accepted) == MAX_GREETED_ATTEMPTS
    assert (caught.value.phase, caught.value.kind) == (Phase.CONNECT, "hung-up")
    assert f"(attempt {MAX_GREETED_ATTEMPTS})" in caught.value.message


def test_a_server_that_may_have_blocked_this_machine_is_tried_a_few_times_and_both_settings_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sum(PENALIZED_DELAYS_S) < SshOptions().timeout_s
    monkeypatch.setattr("fleetsweep.ssh.connection.PENALIZED_DELAYS_S", (0.01, 0.02, 0.03, 0.04))
    accepted: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drop_each() -> None:
            while True:
                try:
                    stream, _ = listener.accept()
                except OSError:
                    return
                with stream:
                    stream.sendall(b"Not allowed at this time\r\n")
                    accepted.append("connection")
                    stream.shutdown(socket.SHUT_WR)
                    while stream.recv(4096):
                        pass

        thread = threading.Thread(target=drop_each, daemon=True)
        thread.start()
        with pytest.raises(HostError) as caught, connected(Sshd(int(listener.getsockname()[1])), tmp_path):
            pass
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(20)
    assert len(accepted) == 5
    assert (caught.value.phase, caught.value.kind) == (Phase.CONNECT, "hung-up")
    assert "its message: 'Not allowed at this time' (attempt 5)" in caught.value.message
    for setting in ("MaxStartups", "PerSourcePenalties", "PerSourcePenaltyExemptList"):
        assert setting in caught.value.remedy


def test_streams_are_of_the_stream_local_kind(tmp_path: Path) -> None:
    with sshd() as server, connected(server, tmp_path) as (connection, deadline):
        server.channels = {STREAMLOCAL}
        connection.open_unix("/run/engine.sock", deadline).close()
        with pytest.raises(ChannelRefused):
            connection.open_tcp("127.0.0.1", server.port, deadline)
