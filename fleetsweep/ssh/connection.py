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

from fleetsweep.errors import HostError, Phase
from fleetsweep.model.host import Host
from fleetsweep.model.survey import PhaseObserver, ignore_phase
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.ssh.bastions import Bastions
from fleetsweep.ssh.dial import Dialled, describe, dial, dial_command
from fleetsweep.ssh.exec_stream import CommandStream
from fleetsweep.ssh.login import HungUp, Server, check_keys, log_in, log_out
from fleetsweep.ssh.options import SshOptions
from fleetsweep.ssh.route import Route, find_route
from fleetsweep.ssh.transport import StreamlocalTransport

LONGEST_PAUSE_S: Final = 2.0
"""Between two attempts to connect."""

GREETED_ATTEMPTS: Final = 3
"""Attempts that may end after the server told its version."""

SESSION_WAITS_S: Final = (0.05, 0.1, 0.2, 0.4)

ANSWER_LIMIT: Final = 4096
"""Bytes of a short command's answer."""

ANSWER_WAIT_S: Final = 3.0

_ALLOW_SESSIONS: Final = "give the user a login shell, and allow sessions in sshd_config (MaxSessions)"


class ChannelRefused(HostError):
    """sshd answered a request for a stream with a no. ``forbidden`` says that its configuration forbids such streams.

    Else it was willing, and the other end of the stream was not; or it does not tell: to a stream-local channel
    OpenSSH says "connect failed" in either case.
    """

    def __init__(self, message: str, remedy: str, *, forbidden: bool) -> None:
        super().__init__(Phase.TUNNEL, "forbidden" if forbidden else "refused", message, remedy)
        self.forbidden = forbidden


class SshConnection:
    """An authenticated connection to one box. ``server`` is who answered."""

    def __init__(self, transport: StreamlocalTransport, server: Server) -> None:
        self._transport = transport
        self._commands: list[CommandStream] = []
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

    def open_command(self, command: str, deadline: Deadline) -> CommandStream:
        """A byte stream to the standard input and output of a command on the box. Raises HostError, phase tunnel."""
        waits = iter(SESSION_WAITS_S)
        while True:
            try:
                channel = self._open(lambda: self._start(command, deadline), "a session", deadline)
            except ChannelRefused:
                # sshd may still be putting away the session before this one, and MaxSessions counts it.
                wait = next(waits, None)
                between = bool(self._commands) and all(stream.closed for stream in self._commands)
                if wait is None or not between or wait >= deadline.remaining():
                    raise
                time.sleep(wait)
                continue
            stream = CommandStream(channel)
            self._commands.append(stream)
            return stream

    def ask(self, command: str, deadline: Deadline) -> str:
        """What a command prints, up to a few kilobytes; empty if it prints nothing in time, or can't be run."""
        deadline = deadline.within(ANSWER_WAIT_S)
        try:
            stream = self.open_command(command, deadline)
        except HostError:
            return ""
        try:
            return stream.read_whole(ANSWER_LIMIT, deadline).decode(errors="replace")
        except OSError:
            return ""
        finally:
            stream.close()

    def _start(self, command: str, deadline: Deadline) -> paramiko.Channel:
        channel = self._transport.open_session(timeout=deadline.remaining())
        try:
            # It waits for ever: at the host's deadline the connection is shut under it.
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
            # A server that knows no such kind of channel (3) won't know it tomorrow either.
            forbidden = error.code in {1, 3}
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
            if self._transport.active:
                # Of two refusals at once paramiko keeps the reason of one.
                raise ChannelRefused(
                    f"sshd opened no channel to {what}", "look at sshd's log on the box", forbidden=False
                ) from error
            raise HostError(
                Phase.TUNNEL, "lost", f"the connection ended: {describe(error)}", "look at sshd's log on the box"
            ) from error
        channel.settimeout(deadline.remaining())
        return channel


@contextmanager
def connect(
    host: Host, options: SshOptions, deadline: Deadline, bastions: Bastions, observe: PhaseObserver = ignore_phase
) -> Iterator[SshConnection]:
    """A connection to ``host`` that is gone when the block ends. ``observe`` hears of each phase. Raises HostError."""
    route = find_route(host, options)
    # A key that can't be read must be told before anything is contacted.
    for hop in route.hops:
        check_keys(hop)
    client, transport, server, dialled = _connect_with_retries(
        route, deadline.within(options.timeout_s), options.timeout_s, bastions, observe
    )
    try:
        with deadline.closing(dialled.shut):
            yield SshConnection(transport, server)
    except HostError as error:
        bastions.blame(route, error)
        raise
    finally:
        log_out(client, dialled.shut)
        dialled.close()


Connected = tuple[paramiko.SSHClient, StreamlocalTransport, Server, Dialled]


def _connect_with_retries(
    route: Route, deadline: Deadline, timeout_s: float, bastions: Bastions, observe: PhaseObserver
) -> Connected:
    """Connect and authenticate. A server busy with other newcomers hangs up on some: those are tried again.

    Each pause is twice as long as the last at the most, and drawn by lot: else all come back at once. A server that
    hangs up after its version line is not that busy, and is not tried for as long.
    """
    attempt = greeted = 0
    while True:
        attempt += 1
        try:
            return _connect_once(route, deadline, timeout_s, bastions, observe)
        except HungUp as error:
            greeted += error.greeted
            pause = min(LONGEST_PAUSE_S, 0.1 * 2**attempt) * random.uniform(0.2, 1.0)  # noqa: S311 - jitter, no secret
            if greeted >= GREETED_ATTEMPTS or pause >= deadline.remaining():
                if attempt > 1:
                    error.message += f" (try {attempt})"
                raise
            time.sleep(pause)


def _connect_once(
    route: Route, deadline: Deadline, timeout_s: float, bastions: Bastions, observe: PhaseObserver
) -> Connected:
    dialled = _way_to(route, deadline, timeout_s, bastions, observe)
    return (*log_in(route.target, dialled, deadline, timeout_s, observe), dialled)


def _way_to(route: Route, deadline: Deadline, timeout_s: float, bastions: Bastions, observe: PhaseObserver) -> Dialled:
    """The bytes to the last hop: through the bastions, a ProxyCommand, or straight."""
    target = route.target
    if route.bastions:
        dialled = bastions.dial(route, deadline, timeout_s)
        # The last bastion resolved the name, by its own lights.
        observe(Phase.RESOLVE, {"through": ", ".join(hop.where for hop in route.bastions)})
        return dialled
    if route.proxy_command is not None:
        dialled = dial_command(route.proxy_command, target.words)
        observe(Phase.RESOLVE, {"through": "ProxyCommand"})
        return dialled
    return dial(target.connection.host, target.connection.port, deadline, timeout_s, observe)
