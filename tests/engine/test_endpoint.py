"""Engine addresses: parsing them, and dialling an engine on this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fleetsweep.engine.endpoint import (
    Endpoint,
    TcpEndpoint,
    UnixEndpoint,
    ignored_docker_host,
    local_dial,
    parse_endpoint,
)
from fleetsweep.engine.pool import Dial
from fleetsweep.errors import HostError, Phase, UsageError
from fleetsweep.runtime.deadline import Deadline, Watchdog


@contextmanager
def dialling(endpoint: Endpoint) -> Iterator[Dial]:
    with Watchdog() as watchdog, local_dial(endpoint, Deadline(10, watchdog)) as dial:
        yield dial


def fault_of(endpoint: Endpoint) -> HostError:
    with dialling(endpoint) as dial, pytest.raises(HostError) as caught:
        dial()
    assert caught.value.phase is Phase.TUNNEL
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("unix:///var/run/docker.sock", UnixEndpoint("/var/run/docker.sock")),
        ("tcp://127.0.0.1:2375", TcpEndpoint("127.0.0.1", 2375)),
        ("tcp://[::1]:2375", TcpEndpoint("::1", 2375)),
    ],
)
def test_an_address_is_parsed_and_its_url_is_the_same_again(url: str, expected: Endpoint) -> None:
    assert parse_endpoint(url) == expected
    assert expected.url == url


@pytest.mark.parametrize(
    "url", ["", "/var/run/docker.sock", "unix://docker.sock", "unix:///a\0b", "tcp://a", "tcp://a:0", "tcp://a:65536"]
)
def test_any_other_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="not an engine's address"):
        parse_endpoint(url)


def test_a_dialled_stream_is_closed_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with dialling(UnixEndpoint(str(path))) as dial:
            dial().sendall(b"ping")
            server, _ = listener.accept()
        with server:
            server.settimeout(10)
            assert server.recv(4) == b"ping"
            assert server.recv(1) == b""


def test_a_tcp_endpoint_is_dialled_too() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        dialling(TcpEndpoint("127.0.0.1", int(listener.getsockname()[1]))) as dial,
    ):
        dial().sendall(b"x")
        server, _ = listener.accept()
        with server:
            assert server.recv(1) == b"x"


def test_a_missing_socket_is_reported_as_absent(tmp_path: Path) -> None:
    assert fault_of(UnixEndpoint(str(tmp_path / "none"))).kind == "absent"
    (tmp_path / "file").touch()
    assert fault_of(UnixEndpoint(str(tmp_path / "file" / "none"))).kind == "absent"


def test_a_path_that_is_not_a_socket_is_told_from_a_socket_without_a_listener(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as unbound:
        unbound.bind(str(path))
    assert fault_of(UnixEndpoint(str(tmp_path / "file"))).kind == "not-a-socket"
    assert "a directory" in fault_of(UnixEndpoint(str(tmp_path))).message
    assert fault_of(UnixEndpoint(str(path))).kind == "refused"


def test_an_ignored_docker_host_is_named_where_the_engine_is_not_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = UnixEndpoint(str(tmp_path / "none"))
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock")
    assert fault_of(endpoint).remedy.endswith(
        "; DOCKER_HOST is not read: give --engine unix:///run/user/1000/docker.sock"
    )
    for environ in ({}, {"DOCKER_HOST": ""}, {"DOCKER_HOST": endpoint.url}):
        assert ignored_docker_host(endpoint, environ) == ""
    assert "give --host USER@BOX" in ignored_docker_host(endpoint, {"DOCKER_HOST": "ssh://ci@box"})
    assert "give --engine" in ignored_docker_host(endpoint, {"DOCKER_HOST": "npipe:////./pipe/docker"})
