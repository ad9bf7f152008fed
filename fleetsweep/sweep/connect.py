"""Connect to one host's engine by the first route that works, in a fixed order.

A stream-local channel needs nothing on the box but sshd. Where sshd forbids it, ``docker system dial-stdio`` carries
the same bytes over a session, under ``sudo`` where the inventory says that only root may use the engine.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from http.client import BadStatusLine, RemoteDisconnected
from typing import TYPE_CHECKING, Final

from fleetsweep.engine.endpoint import TcpEndpoint, local_dial, parse_endpoint
from fleetsweep.engine.pool import Dial, Stream
from fleetsweep.errors import FaultKind, HostError, Phase
from fleetsweep.model.host import Connection, Host
from fleetsweep.model.survey import PhaseObserver, ignore_phase
from fleetsweep.runtime.deadline import Deadline

if TYPE_CHECKING:
    from fleetsweep.engine.client import EngineClient
    from fleetsweep.engine.tls import EngineTls
    from fleetsweep.ssh import SshOptions
    from fleetsweep.ssh.bastions import Bastions
    from fleetsweep.ssh.connection import SshConnection
    from fleetsweep.ssh.exec_stream import CommandStream
    from fleetsweep.sweep.socket_diagnosis import FailedRoute

_STREAMLOCAL: Final = "streamlocal"
_DIRECT_TCPIP: Final = "direct-tcpip"
_SOCKET_ROUTES: Final = frozenset({_STREAMLOCAL, _DIRECT_TCPIP})


class Connector:
    """Connects to the engines of hosts, as the inventory says.

    ``bastions`` may be None if no host is reached over SSH. ``observe`` is called as each phase succeeds. With
    ``engine_tls`` an engine on a TCP port is spoken to over TLS, never without.
    """

    def __init__(
        self,
        ssh: SshOptions,
        bastions: Bastions | None,
        observe: PhaseObserver = ignore_phase,
        engine_tls: EngineTls | None = None,
    ) -> None:
        self._ssh = ssh
        self._bastions = bastions
        self._observe = observe
        self._engine_tls = engine_tls

    @contextmanager
    def open(
        self, host: Host, deadline: Deadline, methods: frozenset[str], connections: int = 1, *, identify: bool = False
    ) -> Iterator[EngineClient]:
        """Open a client to the host's engine and close it when the block ends. Raises HostError.

        ``methods`` are the HTTP methods that the client may send, ``connections`` is the most that it opens, and
        ``identify`` asks the engine for its id.
        """

        endpoint = parse_endpoint(host.engine)

        def client_over(dial: Dial, via: str) -> EngineClient:
            # Imported late: on a run with SSH it loads while the first host is being connected to.
            from fleetsweep.engine.client import EngineClient

            dial = self._observed(dial, via)
            if self._engine_tls is not None and isinstance(endpoint, TcpEndpoint):
                dial = self._engine_tls.over(dial, endpoint, deadline.remaining)
            return EngineClient(dial, via, deadline, methods, connections, identify=identify)

        if host.connection is Connection.LOCAL:
            with (
                local_dial(endpoint, deadline) as dial,
                closing(client_over(dial, "local")) as client,
            ):
                yield client
            return
        # Imported late: fabric and paramiko take a tenth of a second, and --local needs neither.
        from fleetsweep.ssh.connection import connect

        if self._bastions is None:
            raise TypeError("a host that is reached over SSH needs bastions")
        with connect(host, self._ssh, deadline, self._bastions, self._observe) as link:
            client = _first_that_responds(host, link, deadline, client_over)
            try:
                client.engine = replace(client.engine, host_key=f"{link.server.key_type} {link.server.fingerprint}")
                yield client
            finally:
                # The end of the connection closes a socket's streams. A command is told to end first, and TLS, too.
                if client.engine.via not in _SOCKET_ROUTES or self._engine_tls is not None:
                    client.close()

    def _observed(self, dial: Dial, via: str) -> Dial:
        def dial_and_observe() -> Stream:
            stream = dial()
            self._observe(Phase.TUNNEL, {"via": via})
            return stream

        return dial_and_observe


@dataclass(frozen=True, slots=True)
class EngineRoute:
    """One route to an engine: its name in the report, how to dial it, and the stderr of its command if it has one."""

    name: str
    dial: Dial
    read_stderr: Callable[[], str] | None = None


def engine_routes(host: Host, link: SshConnection, deadline: Deadline) -> list[EngineRoute]:
    """Return the routes to a host's engine over its connection, in the order in which they are tried."""
    endpoint = parse_endpoint(host.engine)

    def command(name: str, line: str) -> EngineRoute:
        started: list[CommandStream] = []

        def dial() -> Stream:
            started.append(link.open_command(line, deadline))
            return started[-1]

        return EngineRoute(name, dial, lambda: started[0].error_output() if started else "")

    if isinstance(endpoint, TcpEndpoint):
        straight = EngineRoute(_DIRECT_TCPIP, lambda: link.open_tcp(endpoint.address, endpoint.port, deadline))
    else:
        straight = EngineRoute(_STREAMLOCAL, lambda: link.open_unix(endpoint.path, deadline))
    stdio = f"docker -H {shlex.quote(endpoint.url)} system dial-stdio"
    found = [straight, command("dial-stdio", stdio)]
    if host.become:
        found.append(command("sudo dial-stdio", f"sudo -n {stdio}"))
    return found


def _first_that_responds(
    host: Host, link: SshConnection, deadline: Deadline, client_over: Callable[[Dial, str], EngineClient]
) -> EngineClient:
    failed: list[FailedRoute] = []
    for route in engine_routes(host, link, deadline):
        try:
            return client_over(route.dial, route.name)
        except HostError as error:
            failure = _failure(route, error)
            if deadline.expired or failure is None:
                words = route.read_stderr() if route.read_stderr is not None else ""
                if not words:
                    raise
                message = f"{error.message}; {route.name} reported: {words}"
                raise HostError(error.phase, error.kind, message, error.remedy) from error
            failed.append(failure)
    raise _no_route(host, link, failed, deadline)


def _failure(route: EngineRoute, error: HostError) -> FailedRoute | None:
    """Return why the route failed if another one may work: it was forbidden, or its command ended without a response.

    Return None for any other error.
    """
    # Imported late: most engines are reached by the first route.
    from fleetsweep.sweep.socket_diagnosis import FailedRoute

    if error.phase is Phase.TUNNEL and error.kind in {FaultKind.FORBIDDEN, FaultKind.REFUSED}:
        return FailedRoute(route.name, error.message, error.kind is FaultKind.FORBIDDEN)
    if route.read_stderr is not None and error.kind is FaultKind.LOST:
        printed = _not_http(error)
        words = [f"it printed {printed!r}"] if printed else []
        complaint = route.read_stderr()
        message = "; ".join([*words, complaint] if complaint else words)
        return FailedRoute(route.name, message or "it ended without output")
    return None


def _not_http(error: BaseException) -> str:
    """Return the first line that came in place of HTTP, such as a login shell's greeting; empty if there is none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, BadStatusLine) and not isinstance(cause, RemoteDisconnected):
            return str(cause).strip()[:200]
        cause = cause.__cause__ or cause.__context__
    return ""


def _no_route(host: Host, link: SshConnection, failed: Sequence[FailedRoute], deadline: Deadline) -> HostError:
    from fleetsweep.sweep.socket_diagnosis import no_route_error, parse_probe, probe_command

    endpoint = parse_endpoint(host.engine)
    probe = None
    if not isinstance(endpoint, TcpEndpoint):
        probe = parse_probe(link.run(probe_command(endpoint.path), deadline))
    return no_route_error(link.server.user, endpoint, failed, probe, become=host.become)
