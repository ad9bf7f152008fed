"""Connecting to an engine: the local route, the order of the others, and which failures let another one be tried."""

from __future__ import annotations

from http.client import BadStatusLine
from pathlib import Path
from typing import cast

import pytest

from fleetsweep.engine import READ_ONLY
from fleetsweep.engine.pool import Stream
from fleetsweep.errors import FaultKind, HostError, LostAnswer, Phase
from fleetsweep.model.host import Connection, Host
from fleetsweep.runtime.deadline import Deadline, Watchdog
from fleetsweep.ssh import SshOptions
from fleetsweep.ssh.connection import SshConnection
from fleetsweep.sweep.connect import Connector, EngineRoute, _failure, engine_routes
from fleetsweep.sweep.socket_diagnosis import FailedRoute
from tests.lab.scripted_engine import ScriptedEngine


class Link:
    """The part of an SSH connection that a route uses: it records what is opened."""

    def __init__(self) -> None:
        self.opened: list[object] = []

    def open_unix(self, path: str, deadline: Deadline) -> None:
        self.opened.append(path)

    def open_tcp(self, address: str, port: int, deadline: Deadline) -> None:
        self.opened.append((address, port))

    def open_command(self, line: str, deadline: Deadline) -> None:
        self.opened.append(line)


def routes(host: Host) -> tuple[list[str], list[object]]:
    link = Link()
    with Watchdog() as watchdog:
        found = engine_routes(host, cast(SshConnection, link), Deadline(5, watchdog))
        for route in found:
            route.dial()
    return [route.name for route in found], link.opened


def test_a_local_engine_is_reached_over_its_socket_and_the_phase_is_observed(tmp_path: Path) -> None:
    phases: list[object] = []
    with ScriptedEngine([]).serve(tmp_path / "e.sock") as url, Watchdog() as watchdog:
        host = Host("here", "localhost", connection=Connection.LOCAL, engine=url)
        connector = Connector(SshOptions(), None, lambda *phase: phases.append(phase))
        with connector.open(host, Deadline(10, watchdog), READ_ONLY, identify=True) as client:
            assert client.list_containers().containers == ()
            assert client.engine.id == "ABCD:EFGH"
            assert (client.engine.via, client.engine.host_key) == ("local", None)
    assert phases[0] == (Phase.TUNNEL, {"via": "local"})


def test_a_host_over_ssh_needs_bastions() -> None:
    connector = Connector(SshOptions(), None)
    with Watchdog() as watchdog, pytest.raises(TypeError, match="bastions"):
        connector.open(Host("far", "192.0.2.1"), Deadline(1, watchdog), READ_ONLY).__enter__()


def test_a_stream_is_tried_first_and_a_command_next() -> None:
    names, opened = routes(Host("a", "a"))
    assert names == ["streamlocal", "dial-stdio"]
    assert opened == ["/var/run/docker.sock", "docker -H unix:///var/run/docker.sock system dial-stdio"]


def test_sudo_is_tried_last_and_only_where_the_inventory_asks_for_it() -> None:
    names, opened = routes(Host("a", "a", become=True, engine="unix:///run/it's.sock"))
    assert names == ["streamlocal", "dial-stdio", "sudo dial-stdio"]
    assert opened[-1] == f"sudo -n {opened[-2]}"
    assert opened[-2] == "docker -H 'unix:///run/it'\"'\"'s.sock' system dial-stdio"


def test_a_tcp_engine_is_reached_through_sshd() -> None:
    names, opened = routes(Host("a", "a", engine="tcp://127.0.0.1:2375"))
    assert names == ["direct-tcpip", "dial-stdio"]
    assert opened[0] == ("127.0.0.1", 2375)


def dial() -> Stream:
    raise AssertionError("not dialled")


def lost(cause: Exception | None = None) -> LostAnswer:
    error = LostAnswer(Phase.ENGINE, FaultKind.LOST, "the connection ended")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("stderr", "error", "expected"),
    [
        (None, HostError(Phase.TUNNEL, FaultKind.FORBIDDEN, "no"), FailedRoute("r", "no", forbidden=True)),
        (None, HostError(Phase.TUNNEL, FaultKind.REFUSED, "no"), FailedRoute("r", "no")),
        (None, HostError(Phase.TUNNEL, FaultKind.TIMEOUT, "no"), None),
        (None, lost(), None),
        ("not found", lost(), FailedRoute("r", "not found")),
        ("", lost(), FailedRoute("r", "it ended without output")),
        ("", lost(BadStatusLine("Welcome!")), FailedRoute("r", "it printed 'Welcome!'")),
        ("x", lost(BadStatusLine("Welcome!")), FailedRoute("r", "it printed 'Welcome!'; x")),
        ("x", HostError(Phase.ENGINE, FaultKind.TIMEOUT, "no"), None),
    ],
)
def test_only_a_forbidden_refused_or_silent_route_lets_another_one_be_tried(
    stderr: str | None, error: HostError, expected: FailedRoute | None
) -> None:
    route = EngineRoute("r", dial, None if stderr is None else lambda: stderr)
    assert _failure(route, error) == expected
