"""One verified, deadline-bounded SSH connection; it opens streams to a socket, a port or a command on the box.

fabric resolves the configuration, paramiko carries the bytes, and what neither does is done here: the host key is
checked against our own reading of known_hosts, small packets are not held back, and nothing outlives its deadline.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import paramiko

from fleetsweep.deadline import Deadline
from fleetsweep.errors import HostError, Phase
from fleetsweep.model import Host
from fleetsweep.ssh.bastions import Bastions
from fleetsweep.ssh.dial import Dialled, describe, dial, dial_command
from fleetsweep.ssh.login import Server, check_keys, log_in, log_out
from fleetsweep.ssh.options import SshOptions
from fleetsweep.ssh.route import Route, find_route
from fleetsweep.ssh.transport import StreamlocalTransport

CONNECT_ATTEMPTS: Final = 8


class ChannelRefused(HostError):
    """sshd answered a request for a stream with a no. ``forbidden`` says that its configuration forbids such streams.

    Else it was willing, and the other end of the stream was not.
    """

    def __init__(self, message: str, remedy: str, *, forbidden: bool) -> None:
        super().__init__(Phase.TUNNEL, "forbidden" if forbidden else "refused", message, remedy)
        self.forbidden = forbidden


class SshConnection:
    """An authenticated connection to one box. ``server`` is who answered."""

    def __init__(self, transport: StreamlocalTransport, server: Server) -> None:
        self._transport = transport
        self.server = server

    def open_unix(self, path: str, deadline: Deadline) -> paramiko.Channel:
        """A byte stream to the Unix socket ``path`` on the box. Raises HostError, phase tunnel."""
        return self._open(lambda: self._transport.open_streamlocal(path, deadline.remaining()), path, deadline)

    def open_tcp(self, address: str, port: int, deadline: Deadline) -> paramiko.Channel:
        """A byte stream to a TCP port as the box sees it. Raises HostError, phase tunnel."""
        return self._open(
            lambda: self._transport.open_channel(
                "direct-tcpip", (address, port), ("127.0.0.1", 0), timeout=deadline.remaining()
            ),
            f"{address} port {port}",
            deadline,
        )

    def open_command(self, command: str, deadline: Deadline) -> paramiko.Channel:
        """A byte stream to the standard input and output of a command on the box. Raises HostError, phase tunnel."""

        def start() -> paramiko.Channel:
            channel = self._transport.open_session(timeout=deadline.remaining())
            channel.exec_command(command)
            return channel

        # exec_command waits for ever: at the deadline the connection is shut under it.
        return self._open(start, f"a session for {command!r}", deadline)

    def _open(self, opener: Callable[[], paramiko.Channel], what: str, deadline: Deadline) -> paramiko.Channel:
        try:
            channel = opener()
        except paramiko.ChannelException as error:
            forbidden = error.code == 1
            raise ChannelRefused(
                f"sshd opened no channel to {what}: {error.text}",
                "allow it in sshd_config and authorized_keys on the box"
                if forbidden
                else f"check on the box that {what} is there and yours to use (docker group)",
                forbidden=forbidden,
            ) from error
        except TimeoutError as error:
            raise HostError(Phase.TUNNEL, "timeout", str(error), "look at the load of the box") from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            if deadline.expired:
                raise HostError(
                    Phase.TUNNEL, "timeout", f"no answer about {what} in time", "look at the load of the box"
                ) from error
            raise HostError(
                Phase.TUNNEL, "lost", f"the connection ended: {describe(error)}", "look at sshd's log on the box"
            ) from error
        channel.settimeout(deadline.remaining())
        return channel


@contextmanager
def connect(host: Host, options: SshOptions, deadline: Deadline, bastions: Bastions) -> Iterator[SshConnection]:
    """A connection to ``host`` that is gone when the block ends. Raises HostError."""
    route = find_route(host, options)
    # A key that can't be read must be told before anything is contacted.
    for hop in route.hops:
        check_keys(hop)
    client, transport, server, dialled = _connect_with_retries(
        route, deadline.within(options.timeout_s), options.timeout_s, bastions
    )
    try:
        with deadline.closing(dialled.shut):
            yield SshConnection(transport, server)
    except HostError as error:
        bastions.blame(route, error)
        raise
    finally:
        log_out(client)
        dialled.close()


Connected = tuple[paramiko.SSHClient, StreamlocalTransport, Server, Dialled]


def _connect_with_retries(route: Route, deadline: Deadline, timeout_s: float, bastions: Bastions) -> Connected:
    """Connect and authenticate. A server busy with other newcomers hangs up on some: those are tried again."""
    for attempt in range(1, CONNECT_ATTEMPTS + 1):
        try:
            return _connect_once(route, deadline, timeout_s, bastions)
        except HostError as error:
            pause = min(1.5, 0.1 * 2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
            if error.kind != "hung-up" or attempt == CONNECT_ATTEMPTS or pause >= deadline.remaining():
                raise
            time.sleep(pause)
    raise AssertionError("unreachable")


def _connect_once(route: Route, deadline: Deadline, timeout_s: float, bastions: Bastions) -> Connected:
    dialled = _way_to(route, deadline, timeout_s, bastions)
    try:
        return (*log_in(route.target, dialled.sock, dialled.shut, deadline, timeout_s), dialled)
    except HostError as error:
        explained = dialled.explain(error)
        dialled.close()
        raise explained from error
    except BaseException:
        dialled.close()
        raise


def _way_to(route: Route, deadline: Deadline, timeout_s: float, bastions: Bastions) -> Dialled:
    """The bytes to the last hop: through the bastions, a ProxyCommand, or straight."""
    target = route.target
    if route.bastions:
        return bastions.dial(route, deadline, timeout_s)
    if route.proxy_command is not None:
        return dial_command(route.proxy_command)
    return dial(target.connection.host, target.connection.port, deadline, timeout_s)
