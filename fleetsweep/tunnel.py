"""The way from here to one host's engine: the first that works, in a fixed order, and its name.

A stream-local channel needs nothing on the box but sshd. Where sshd forbids it, ``docker system dial-stdio`` carries
the same bytes over a session, with ``sudo`` where the inventory says that only root may talk to the engine.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleetsweep.deadline import Deadline
from fleetsweep.engine import EngineClient
from fleetsweep.engine.adapter import Dial, Stream
from fleetsweep.engine.endpoint import TcpEndpoint, local_dial, parse_endpoint
from fleetsweep.errors import HostError, Phase
from fleetsweep.model import Connection, Host, Tell, tell_nobody

if TYPE_CHECKING:
    from fleetsweep.ssh import SshOptions
    from fleetsweep.ssh.bastions import Bastions
    from fleetsweep.ssh.connection import SshConnection


@contextmanager
def engine_on(
    host: Host,
    ssh: SshOptions,
    bastions: Bastions | None,
    deadline: Deadline,
    methods: frozenset[str],
    connections: int = 1,
    tell: Tell = tell_nobody,
) -> Iterator[EngineClient]:
    """The engine of one host, reached as the inventory says. ``tell`` hears of each phase. Raises HostError.

    ``bastions`` may be None for a host that is not reached over SSH.
    """
    endpoint = parse_endpoint(host.engine)
    if host.connection is Connection.LOCAL:
        with (
            local_dial(endpoint, deadline) as dial,
            _client(_telling(dial, "local", tell), "local", deadline, methods, connections) as client,
        ):
            yield client
        return
    # Here and not above: fabric and paramiko take a tenth of a second, and --local needs neither.
    from fleetsweep.ssh.connection import connect

    if bastions is None:
        raise TypeError("a host that is reached over SSH needs to know its bastions")
    with (
        connect(host, ssh, deadline, bastions, tell) as link,
        _first_that_answers(ways(host, link, deadline), deadline, methods, connections, tell) as client,
    ):
        yield client


@contextmanager
def _client(
    dial: Dial, via: str, deadline: Deadline, methods: frozenset[str], connections: int
) -> Iterator[EngineClient]:
    client = EngineClient(dial, via, deadline, methods, connections)
    try:
        yield client
    finally:
        client.close()


def _telling(dial: Dial, via: str, tell: Tell) -> Dial:
    def dial_and_tell() -> Stream:
        stream = dial()
        tell(Phase.TUNNEL, {"via": via})
        return stream

    return dial_and_tell


@dataclass(frozen=True, slots=True)
class Way:
    """One way to an engine: its name in the report, how to dial it, and whether it is a command on the box."""

    name: str
    dial: Callable[[], Stream]
    is_command: bool = False


def ways(host: Host, link: SshConnection, deadline: Deadline) -> list[Way]:
    """The ways to a host's engine over its connection, in the order in which they are tried."""
    endpoint = parse_endpoint(host.engine)
    if isinstance(endpoint, TcpEndpoint):
        return [Way("direct-tcpip", lambda: link.open_tcp(endpoint.address, endpoint.port, deadline))]
    stdio = f"docker -H unix://{shlex.quote(endpoint.path)} system dial-stdio"
    found = [
        Way("streamlocal", lambda: link.open_unix(endpoint.path, deadline)),
        Way("dial-stdio", lambda: link.open_command(stdio, deadline), is_command=True),
    ]
    if host.become:
        found.append(Way("sudo dial-stdio", lambda: link.open_command(f"sudo -n {stdio}", deadline), is_command=True))
    return found


@contextmanager
def _first_that_answers(
    ways: Sequence[Way], deadline: Deadline, methods: frozenset[str], connections: int, tell: Tell
) -> Iterator[EngineClient]:
    refusals: list[HostError] = []
    for way in ways:
        try:
            client = EngineClient(_telling(way.dial, way.name, tell), way.name, deadline, methods, connections)
        except HostError as error:
            if deadline.expired or not _is_refusal(error, way):
                raise
            refusals.append(error)
            continue
        try:
            yield client
        finally:
            client.close()
        return
    raise _no_way(ways, refusals)


def _is_refusal(error: HostError, way: Way) -> bool:
    """Whether another way may do better: this one was forbidden, or its command ended without an answer."""
    if error.phase is Phase.TUNNEL:
        return error.kind in {"forbidden", "refused"}
    return way.is_command and error.kind in {"lost", "not-an-engine"}


def _no_way(ways: Sequence[Way], refusals: Sequence[HostError]) -> HostError:
    told = "; ".join(f"{way.name}: {error.message}" for way, error in zip(ways, refusals, strict=True))
    return HostError(Phase.TUNNEL, refusals[0].kind, told, refusals[0].remedy)
