"""Connections to bastions: one to each for a whole run, shared by all hosts behind it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final

# Before paramiko and fabric, which load it in full.
from fleetsweep.ssh import libraries  # noqa: F401

# isort: split
import paramiko

from fleetsweep.errors import FaultKind, HostError, Phase
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.ssh.commands import on_machine, probe
from fleetsweep.ssh.dial import Dialled, describe, dial, dial_command
from fleetsweep.ssh.login import log_in, log_out, open_keys
from fleetsweep.ssh.route import Hop, Route
from fleetsweep.ssh.transport import StreamlocalTransport

ATTEMPTS: Final = 2
"""Attempts to connect to one bastion in a run: one retry, after a failed first attempt or after a lost connection."""

THREAD_JOIN_S: Final = 0.5
"""Seconds to wait for a closed connection's thread, which checks ten times a second whether it should end."""

FORWARDING: Final = "sudo sshd -T | grep -iE 'allowtcpforwarding|permitopen|disableforwarding'"
"""Prints what an sshd allows of forwarding."""

_RETRYABLE: Final = frozenset({FaultKind.HUNG_UP, FaultKind.REFUSED, FaultKind.NETWORK})
"""The kinds of fault that a retry may cure. A refused host key or key is not retried."""


class Bastions:
    """Opens each bastion's connection when the first host needs it. Leaving the context closes all of them.

    A host waits for a bastion until its own deadline at the latest. When a bastion can't be reached or its connection
    is lost, only the hosts behind it fail.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: dict[tuple[tuple[str, ...], ...], _Bastion] = {}

    def __enter__(self) -> Bastions:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            opened = sorted(self._opened.items(), key=lambda item: len(item[0]))
        # First hops first: closing a channel through a bastion that no longer reads would block.
        for _, bastion in opened:
            bastion.shut()
        for _, bastion in reversed(opened):
            bastion.close()

    def dial(self, route: Route, deadline: Deadline, timeout_s: float) -> Dialled:
        """Return a stream to a route's last hop through its bastions. Raises HostError."""
        transport = self._connect(route.bastions, route.proxy_command, deadline, timeout_s)
        return _through(transport, route.bastions[-1], route.target, deadline)

    def add_cause(self, route: Route, error: HostError) -> None:
        """Add to the error of a lost host that the connection to a bastion on its route ended, or may have."""
        if error.kind not in {FaultKind.LOST, FaultKind.TIMEOUT} or not route.bastions:
            return
        for number in range(1, len(route.hops)):
            hops = route.hops[:number]
            with self._lock:
                bastion = self._opened.get(_key(hops, route.proxy_command))
            if bastion is not None and bastion.ended:
                error.message += f" (the connection to bastion {hops[-1].where} ended)"
                error.remedy = _check_command(hops[-1])
                break
        else:
            error.message += f" (behind bastion {route.bastions[-1].where})"
        error.args = (error.message,)

    def _connect(
        self, hops: tuple[Hop, ...], proxy_command: str | None, deadline: Deadline, timeout_s: float
    ) -> StreamlocalTransport:
        """Return the open connection to the last of ``hops``. The first thread that needs it opens it."""
        key = _key(hops, proxy_command)
        with self._lock:
            previous = self._opened.get(key)
            if previous is not None and not previous.may_be_replaced:
                bastion, is_new = previous, False
            else:
                bastion, is_new = _Bastion(previous), True
                self._opened[key] = bastion
        if is_new:
            self._open(bastion, hops, proxy_command, deadline, timeout_s)
        return bastion.wait(hops[-1], deadline)

    def _open(
        self, bastion: _Bastion, hops: tuple[Hop, ...], proxy_command: str | None, deadline: Deadline, timeout_s: float
    ) -> None:
        """Log in to a bastion for all threads that wait for it, with one retry if that may help."""
        try:
            while True:
                try:
                    with open_keys(hops[-1]) as keys:
                        dialled = self._dial_hop(hops, proxy_command, deadline, timeout_s)
                        bastion.open(hops[-1], keys, dialled, deadline, timeout_s)
                except HostError as error:
                    pause = random.uniform(0.1, 0.4)  # noqa: S311 - jitter, not a secret
                    if not bastion.take_retry(error) or pause >= deadline.remaining():
                        bastion.fail(error)
                        return
                    time.sleep(pause)
                else:
                    return
        except BaseException as error:
            bastion.fail(HostError(Phase.CONNECT, FaultKind.BASTION, f"{type(error).__name__}: {error}"))
            raise

    def _dial_hop(
        self, hops: tuple[Hop, ...], proxy_command: str | None, deadline: Deadline, timeout_s: float
    ) -> Dialled:
        if len(hops) > 1:
            return _through(self._connect(hops[:-1], proxy_command, deadline, timeout_s), hops[-2], hops[-1], deadline)
        if proxy_command is not None:
            return dial_command(proxy_command, hops[0].public_words)
        first = hops[0]
        return dial(first.connection.host, first.connection.port, deadline, timeout_s, family=first.family)


def _key(hops: tuple[Hop, ...], proxy_command: str | None) -> tuple[tuple[str, ...], ...]:
    """Return the key under which hosts share a connection: every hop, with its host key check and its log-in."""
    return ((proxy_command or "",), *(hop.identity for hop in hops))


class _Bastion:
    """One bastion's connection: being opened, open, failed or ended."""

    def __init__(self, previous: _Bastion | None) -> None:
        self._attempts: int = 1 if previous is None else previous._attempts + 1
        self._previous = previous
        self._settled = threading.Event()
        self._client: paramiko.SSHClient | None = None
        self._transport: StreamlocalTransport | None = None
        self._dialled: Dialled | None = None
        self._error: HostError | None = None

    @property
    def ended(self) -> bool:
        """Whether it was open and has ended."""
        return self._settled.is_set() and self._transport is not None and not self._transport.active

    @property
    def may_be_replaced(self) -> bool:
        """Whether it has ended and another attempt is left."""
        return self.ended and self._attempts < ATTEMPTS

    def take_retry(self, error: HostError) -> bool:
        """Use up an attempt if one is left and may help. Return whether it was."""
        if self._attempts >= ATTEMPTS or error.phase is not Phase.CONNECT or error.kind not in _RETRYABLE:
            return False
        self._attempts += 1
        return True

    def open(
        self, hop: Hop, keys: Sequence[paramiko.PKey], dialled: Dialled, deadline: Deadline, timeout_s: float
    ) -> None:
        """Log in. Raises HostError and closes the stream then."""
        client, transport, _ = log_in(hop, keys, dialled, deadline, timeout_s)
        self._client, self._transport, self._dialled = client, transport, dialled
        # Many hosts wait for it, and nothing else would answer its keepalives.
        transport.read_in_thread()
        self._settled.set()

    def fail(self, error: HostError) -> None:
        """Fail all threads that wait for the connection with ``error``."""
        self._error = error
        self._settled.set()

    def wait(self, hop: Hop, deadline: Deadline) -> StreamlocalTransport:
        """Wait for the connection and return it. Raises HostError."""
        if not self._settled.wait(deadline.remaining()):
            raise HostError(
                Phase.CONNECT, FaultKind.BASTION, f"bastion {hop.where} was not reached in time", _check_command(hop)
            )
        if self._error is not None:
            error = self._error
            message = error.message.removeprefix(hop.where).lstrip(": ")
            message = error.message if error.kind is FaultKind.BASTION else f"bastion {hop.where}: {message}"
            raise HostError(error.phase, FaultKind.BASTION, message, error.remedy or _check_command(hop))
        if self._transport is None or not self._transport.active:
            raise _connection_ended(hop, None)
        return self._transport

    def shut(self) -> None:
        """Unblock everything that waits on the connection. Never blocks."""
        if self._dialled is not None and self._dialled.direct:
            self._dialled.shut()

    def close(self) -> None:
        """Close the connection and those that it replaced."""
        if self._client is not None and self._dialled is not None:
            log_out(self._client, self._dialled.shut)
        if self._transport is not None:
            self._transport.wait_until_unread(THREAD_JOIN_S)
        if self._dialled is not None:
            self._dialled.close()
        if self._previous is not None:
            self._previous.close()


def _through(transport: StreamlocalTransport, bastion: Hop, hop: Hop, deadline: Deadline) -> Dialled:
    """Return a stream from a bastion to ``hop``. Retries while the bastion is short of resources."""
    host, port = str(hop.connection.host), int(hop.connection.port)
    while True:
        try:
            channel = transport.open_direct(host, port, max(0.001, deadline.remaining()))
        except paramiko.ChannelException as error:
            if error.code == 4 and deadline.remaining() > 1:  # SSH_OPEN_RESOURCE_SHORTAGE is temporary
                time.sleep(random.uniform(0.1, 0.3))  # noqa: S311 - jitter, not a secret
                continue
            raise HostError(
                Phase.CONNECT,
                FaultKind.FORBIDDEN if error.code == 1 else FaultKind.REFUSED,
                f"bastion {bastion.where} opened no stream to {hop.where}: {error.text}",
                f"{on_machine(bastion, FORWARDING)}; and check authorized_keys there for restrict or no-port-forwarding"
                if error.code == 1
                else f"check that the box is up: {probe(hop)}",
            ) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            if transport.active and deadline.expired:
                raise HostError(
                    Phase.CONNECT,
                    FaultKind.TIMEOUT,
                    f"bastion {bastion.where} opened no stream to {hop.where} in time",
                    f"check the network between them: {probe(hop)}",
                ) from error
            raise _connection_ended(bastion, error) from error
        channel.settimeout(deadline.remaining())
        return Dialled(channel)


def _connection_ended(bastion: Hop, error: BaseException | None) -> HostError:
    reason = f": {describe(error)}" if error is not None else ""
    return HostError(
        Phase.CONNECT,
        FaultKind.BASTION,
        f"the connection to bastion {bastion.where} ended{reason}",
        _check_command(bastion),
    )


def _check_command(hop: Hop) -> str:
    return f"check the bastion: {on_machine(hop, 'true')}"
