"""The way from here to one host's engine: the first that works, in a fixed order, and its name.

A stream-local channel needs nothing on the box but sshd. Where sshd forbids it, ``docker system dial-stdio`` carries
the same bytes over a session, with ``sudo`` where the inventory says that only root may talk to the engine.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from http.client import BadStatusLine, RemoteDisconnected
from typing import TYPE_CHECKING

from fleetsweep.engine.endpoint import TcpEndpoint, local_dial, parse_endpoint
from fleetsweep.engine.pool import Dial, Stream
from fleetsweep.errors import HostError, Phase
from fleetsweep.model.host import Connection, Host
from fleetsweep.model.survey import PhaseObserver, ignore_phase
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.sweep.socket_diagnosis import Refused, look_command, no_way, parse_look

if TYPE_CHECKING:
    from fleetsweep.engine.client import EngineClient
    from fleetsweep.ssh import SshOptions
    from fleetsweep.ssh.bastions import Bastions
    from fleetsweep.ssh.connection import SshConnection
    from fleetsweep.ssh.exec_stream import CommandStream


@contextmanager
def engine_on(
    host: Host,
    ssh: SshOptions,
    bastions: Bastions | None,
    deadline: Deadline,
    methods: frozenset[str],
    connections: int = 1,
    observe: PhaseObserver = ignore_phase,
    *,
    identify: bool = False,
) -> Iterator[EngineClient]:
    """The engine of one host, reached as the inventory says. ``observe`` hears of each phase. Raises HostError.

    ``bastions`` may be None for a host that is not reached over SSH. ``identify`` asks the engine for its id.
    """
    endpoint = parse_endpoint(host.engine)
    if host.connection is Connection.LOCAL:
        from fleetsweep.engine.client import EngineClient

        with (
            local_dial(endpoint, deadline) as dial,
            closing(
                EngineClient(
                    _observed(dial, "local", observe), "local", deadline, methods, connections, identify=identify
                )
            ) as client,
        ):
            yield client
        return
    # Here and not above: fabric and paramiko take a tenth of a second, and --local needs neither.
    from fleetsweep.ssh.connection import connect

    if bastions is None:
        raise TypeError("a host that is reached over SSH needs to know its bastions")
    with (
        connect(host, ssh, deadline, bastions, observe) as link,
        closing(_first_that_responds(host, link, deadline, methods, connections, observe, identify=identify)) as client,
    ):
        client.engine = replace(client.engine, host_key=f"{link.server.key_type} {link.server.fingerprint}")
        yield client


def _observed(dial: Dial, via: str, observe: PhaseObserver) -> Dial:
    def dial_and_tell() -> Stream:
        stream = dial()
        observe(Phase.TUNNEL, {"via": via})
        return stream

    return dial_and_tell


@dataclass(frozen=True, slots=True)
class EngineRoute:
    """One way to an engine: its name in the report, how to dial it, and what its command, if there is one, said."""

    name: str
    dial: Dial
    last_words: Callable[[], str] | None = None


def engine_routes(host: Host, link: SshConnection, deadline: Deadline) -> list[EngineRoute]:
    """The ways to a host's engine over its connection, in the order in which they are tried."""
    endpoint = parse_endpoint(host.engine)

    def command(name: str, line: str) -> EngineRoute:
        started: list[CommandStream] = []

        def dial() -> Stream:
            started.append(link.open_command(line, deadline))
            return started[-1]

        return EngineRoute(name, dial, lambda: started[0].last_words() if started else "")

    if isinstance(endpoint, TcpEndpoint):
        straight = EngineRoute("direct-tcpip", lambda: link.open_tcp(endpoint.address, endpoint.port, deadline))
    else:
        straight = EngineRoute("streamlocal", lambda: link.open_unix(endpoint.path, deadline))
    stdio = f"docker -H {shlex.quote(endpoint.url)} system dial-stdio"
    found = [straight, command("dial-stdio", stdio)]
    if host.become:
        found.append(command("sudo dial-stdio", f"sudo -n {stdio}"))
    return found


def _first_that_responds(
    host: Host,
    link: SshConnection,
    deadline: Deadline,
    methods: frozenset[str],
    connections: int,
    observe: PhaseObserver,
    *,
    identify: bool,
) -> EngineClient:
    # Here and not above: it was loading while the first host was being connected to.
    from fleetsweep.engine.client import EngineClient

    refused: list[Refused] = []
    for way in engine_routes(host, link, deadline):
        try:
            return EngineClient(
                _observed(way.dial, way.name, observe), way.name, deadline, methods, connections, identify=identify
            )
        except HostError as error:
            refusal = _refusal(way, error)
            if deadline.expired or refusal is None:
                words = way.last_words() if way.last_words is not None else ""
                if not words:
                    raise
                told = f"{error.message}; {way.name} said: {words}"
                raise HostError(error.phase, error.kind, told, error.remedy) from error
            refused.append(refusal)
    raise _no_route(host, link, refused, deadline)


def _refusal(way: EngineRoute, error: HostError) -> Refused | None:
    """What was said, if another way may do better: this one was forbidden, or its command ended without an answer."""
    if error.phase is Phase.TUNNEL and error.kind in {"forbidden", "refused"}:
        return Refused(way.name, error.message, error.kind == "forbidden")
    if way.last_words is not None and error.kind == "lost":
        printed = _not_http(error)
        words = [f"it printed {printed!r}"] if printed else []
        complaint = way.last_words()
        return Refused(way.name, "; ".join([*words, complaint] if complaint else words) or "it ended without a word")
    return None


def _not_http(error: BaseException) -> str:
    """What came in place of HTTP, as where a login shell greets or declines: its first line."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, BadStatusLine) and not isinstance(cause, RemoteDisconnected):
            return str(cause).strip()[:200]
        cause = cause.__cause__ or cause.__context__
    return ""


def _no_route(host: Host, link: SshConnection, refused: Sequence[Refused], deadline: Deadline) -> HostError:
    endpoint = parse_endpoint(host.engine)
    look = None
    if not isinstance(endpoint, TcpEndpoint):
        look = parse_look(link.ask(look_command(endpoint.path), deadline))
    return no_way(link.server.user, endpoint, refused, look, become=host.become)
