"""One verified SSH connection with a deadline, which opens streams to a socket, a port or a command on the box.

fabric resolves the SSH configuration and paramiko carries the bytes. The rest is done here: host keys are checked
against our own known_hosts parser, TCP_NODELAY is set, and nothing outlives its deadline.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

import paramiko

from fleetsweep.errors import FaultKind, HostError, Phase
from fleetsweep.model.host import Host
from fleetsweep.model.survey import PhaseObserver, ignore_phase
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.ssh.bastions import Bastions
from fleetsweep.ssh.dial import Dialled, describe, dial, dial_command
from fleetsweep.ssh.exec_stream import CommandStream
from fleetsweep.ssh.login import Server, ServerDisconnected, log_in, log_out, open_keys
from fleetsweep.ssh.options import SshOptions
from fleetsweep.ssh.route import Route, find_route
from fleetsweep.ssh.transport import StreamlocalTransport

MAX_BACKOFF_S: Final = 2.0
"""Seconds between two attempts to connect, at most."""

MAX_GREETED_ATTEMPTS: Final = 3
"""Attempts that may end after the server sent its version line."""

PENALIZED_DELAYS_S: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds, at most, before each retry at a server that may have blocked this machine. A penalty lasts 15 s or more."""

SESSION_RETRY_DELAYS_S: Final = (0.05, 0.1, 0.2, 0.4)
"""Seconds before each retry of a refused session, while sshd may still count the previous one."""

OUTPUT_LIMIT: Final = 4096
"""Bytes that ``SshConnection.run`` reads of a command's output."""

RUN_TIMEOUT_S: Final = 3.0
"""Seconds for a command of ``SshConnection.run``."""

_ALLOW_SESSIONS: Final = "give the user a login shell, and allow sessions in sshd_config (MaxSessions)"


class ChannelRefused(HostError):
    """sshd refused to open a stream. ``forbidden`` means that its configuration forbids such streams.

    Otherwise the stream's far end refused, or the reason is unknown: for a stream-local channel OpenSSH reports
    "connect failed" in both cases.
    """

    def __init__(self, message: str, remedy: str, *, forbidden: bool) -> None:
        super().__init__(Phase.TUNNEL, FaultKind.FORBIDDEN if forbidden else FaultKind.REFUSED, message, remedy)
        self.forbidden = forbidden


class SshConnection:
    """An authenticated connection to one box. ``server`` describes its sshd."""

    def __init__(self, transport: StreamlocalTransport, server: Server) -> None:
        self._transport = transport
        self._commands: list[CommandStream] = []
        self.server = server

    def open_unix(self, path: str, deadline: Deadline) -> paramiko.Channel:
        """Open a byte stream to the Unix socket ``path`` on the box. Raises HostError, phase tunnel."""
        return self._open(lambda: self._transport.open_streamlocal(path, deadline.remaining()), path, deadline)

    def open_tcp(self, address: str, port: int, deadline: Deadline) -> paramiko.Channel:
        """Open a byte stream to a TCP port as seen from the box. Raises HostError, phase tunnel."""
        return self._open(
            lambda: self._transport.open_direct(address, port, deadline.remaining()),
            f"{address} port {port}",
            deadline,
        )

    def open_command(self, command: str, deadline: Deadline) -> CommandStream:
        """Run a command on the box and return its input and output as a stream. Raises HostError, phase tunnel."""
        delays = iter(SESSION_RETRY_DELAYS_S)
        while True:
            try:
                channel = self._open(lambda: self._start(command, deadline), "a session", deadline)
            except ChannelRefused:
                # sshd may still be cleaning up the previous session, which MaxSessions counts.
                delay = next(delays, None)
                all_closed = bool(self._commands) and all(stream.closed for stream in self._commands)
                if delay is None or not all_closed or delay >= deadline.remaining():
                    raise
                time.sleep(delay)
                continue
            stream = CommandStream(channel)
            self._commands.append(stream)
            return stream

    def run(self, command: str, deadline: Deadline) -> str:
        """Return at most ``OUTPUT_LIMIT`` bytes of a command's output; empty if it fails or prints nothing in time."""
        deadline = deadline.within(RUN_TIMEOUT_S)
        try:
            stream = self.open_command(command, deadline)
        except HostError:
            return ""
        try:
            return stream.read_all(OUTPUT_LIMIT, deadline).decode(errors="replace")
        except OSError:
            return ""
        finally:
            stream.close()

    def _start(self, command: str, deadline: Deadline) -> paramiko.Channel:
        channel = self._transport.open_session(timeout=deadline.remaining())
        try:
            # This has no timeout: the host's deadline shuts the connection.
            channel.exec_command(command)
        except (paramiko.SSHException, EOFError) as error:
            if not self._transport.active:
                raise
            channel.close()
            raise ChannelRefused("sshd runs no command for this user", _ALLOW_SESSIONS, forbidden=True) from error
        return channel

    def _open(self, opener: Callable[[], paramiko.Channel], what: str, deadline: Deadline) -> paramiko.Channel:
        try:
            channel = opener()
        except HostError:
            raise
        except paramiko.ChannelException as error:
            # 1: administratively prohibited. 3: unknown channel type, which a retry won't change either.
            forbidden = error.code in {1, 3}
            raise ChannelRefused(
                f"sshd opened no channel to {what}: {error.text}",
                "allow it in sshd_config and authorized_keys on the box"
                if forbidden
                else f"check on the box that {what} exists and that the user may use it (docker group)",
                forbidden=forbidden,
            ) from error
        except TimeoutError as error:
            raise HostError(Phase.TUNNEL, FaultKind.TIMEOUT, str(error), "check the load of the box") from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            if deadline.expired:
                raise HostError(
                    Phase.TUNNEL,
                    FaultKind.TIMEOUT,
                    f"sshd opened no channel to {what} in time",
                    "check the load of the box",
                ) from error
            if self._transport.active:
                # paramiko loses the reason of one of two concurrent refusals.
                raise ChannelRefused(
                    f"sshd opened no channel to {what}", "check sshd's log on the box", forbidden=False
                ) from error
            raise HostError(
                Phase.TUNNEL, FaultKind.LOST, f"the connection ended: {describe(error)}", "check sshd's log on the box"
            ) from error
        channel.settimeout(deadline.remaining())
        return channel


@contextmanager
def connect(
    host: Host, options: SshOptions, deadline: Deadline, bastions: Bastions, observe: PhaseObserver = ignore_phase
) -> Iterator[SshConnection]:
    """Connect to ``host``; close the connection on exit. ``observe`` is called after each phase. Raises HostError."""
    route = find_route(host, options)
    with ExitStack() as opened:
        # An unreadable key is reported before anything is contacted.
        keys = [opened.enter_context(open_keys(hop)) for hop in route.hops]
        client, transport, server, dialled = _connect_with_retries(
            route, keys[-1], deadline.within(options.timeout_s), options.timeout_s, bastions, observe
        )
    try:
        with deadline.closing(dialled.shut):
            yield SshConnection(transport, server)
    except HostError as error:
        bastions.add_cause(route, error)
        raise
    finally:
        log_out(client, dialled.shut)
        dialled.close()


Connected = tuple[paramiko.SSHClient, StreamlocalTransport, Server, Dialled]


def _connect_with_retries(
    route: Route,
    keys: Sequence[paramiko.PKey],
    deadline: Deadline,
    timeout_s: float,
    bastions: Bastions,
    observe: PhaseObserver,
) -> Connected:
    """Connect and authenticate, with retries while a busy server drops new connections (MaxStartups).

    Exponential backoff with jitter, so that clients do not retry in step. A server that disconnects after its version
    line is not that busy, and gets fewer attempts. So does one that may have blocked this machine.
    """
    attempt = greeted = penalized = 0
    while True:
        attempt += 1
        try:
            dialled = _dial_route(route, deadline, timeout_s, bastions, observe)
            return (*log_in(route.target, keys, dialled, deadline, timeout_s, observe), dialled)
        except ServerDisconnected as error:
            greeted += error.greeted
            longest, shortest = min(MAX_BACKOFF_S, 0.1 * 2**attempt), 0.2
            last = greeted >= MAX_GREETED_ATTEMPTS
            if error.penalized:
                last = last or penalized >= len(PENALIZED_DELAYS_S)
                longest, shortest = (longest if last else PENALIZED_DELAYS_S[penalized]), 0.5
                penalized += 1
            pause = longest * random.uniform(shortest, 1.0)  # noqa: S311 - jitter, no secret
            if last or pause >= deadline.remaining():
                if attempt > 1:
                    error.message += f" (attempt {attempt})"
                raise
            time.sleep(pause)


def _dial_route(
    route: Route, deadline: Deadline, timeout_s: float, bastions: Bastions, observe: PhaseObserver
) -> Dialled:
    """Return a stream to the last hop: through the bastions, through a ProxyCommand, or direct."""
    target = route.target
    if route.bastions:
        dialled = bastions.dial(route, deadline, timeout_s)
        # The last bastion resolved the name.
        observe(Phase.RESOLVE, {"through": ", ".join(hop.where for hop in route.bastions)})
        return dialled
    if route.proxy_command is not None:
        dialled = dial_command(route.proxy_command, target.public_words)
        observe(Phase.RESOLVE, {"through": "ProxyCommand"})
        return dialled
    return dial(target.connection.host, target.connection.port, deadline, timeout_s, observe, target.family)
