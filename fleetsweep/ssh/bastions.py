"""The connections to bastions: one to each for a whole run, shared by every host behind it."""

from __future__ import annotations

import random
import threading
import time
from types import TracebackType
from typing import Final

import paramiko

from fleetsweep.errors import HostError, Phase
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.ssh.dial import Dialled, describe, dial, dial_command
from fleetsweep.ssh.login import log_in, log_out
from fleetsweep.ssh.route import Hop, Route
from fleetsweep.ssh.transport import StreamlocalTransport

ATTEMPTS: Final = 2
"""Connections that are tried to one bastion in a run: it is retried once, be it at the start or after its death."""

THREAD_ENDS_S: Final = 0.5
"""How long a connection's thread, told to end, is waited for: it looks up ten times a second."""

_PASSES: Final = frozenset({"hung-up", "refused", "network"})
"""What may go well the second time. A host key or a log-in that was refused is not tried again."""


class Bastions:
    """Opens each bastion's connection when the first host needs it. Leaving the context closes them all.

    A host waits for a bastion no longer than its own deadline. When a bastion can't be reached, or dies, the hosts
    behind it fail, and no other.
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
        # The near ones' sockets first: a goodbye through a bastion that no longer reads would wait for ever.
        for _, bastion in opened:
            bastion.shut()
        for _, bastion in reversed(opened):
            bastion.close()

    def dial(self, route: Route, deadline: Deadline, timeout_s: float) -> Dialled:
        """The bytes to a route's last hop, through its bastions. Raises HostError."""
        transport = self._reach(route.bastions, route.proxy_command, deadline, timeout_s)
        return _through(transport, route.bastions[-1], route.target, deadline)

    def blame(self, route: Route, error: HostError) -> None:
        """Where a host was lost because a bastion on its way died, or may have, let the error say so."""
        if error.kind not in {"lost", "timeout"} or not route.bastions:
            return
        for number in range(1, len(route.hops)):
            hops = route.hops[:number]
            with self._lock:
                bastion = self._opened.get(_key(hops, route.proxy_command))
            if bastion is not None and bastion.ended:
                error.message += f" (the connection to bastion {hops[-1].where} ended)"
                error.remedy = _look_at(hops[-1])
                break
        else:
            error.message += f" (behind bastion {route.bastions[-1].where})"
        error.args = (error.message,)

    def _reach(
        self, hops: tuple[Hop, ...], proxy_command: str | None, deadline: Deadline, timeout_s: float
    ) -> StreamlocalTransport:
        """The open connection to the last of ``hops``."""
        key = _key(hops, proxy_command)
        with self._lock:
            before = self._opened.get(key)
            if before is not None and not before.may_be_replaced:
                bastion, ours = before, False
            else:
                bastion, ours = _Bastion(before), True
                self._opened[key] = bastion
        if ours:
            self._open(bastion, hops, proxy_command, deadline, timeout_s)
        return bastion.wait(hops[-1], deadline)

    def _open(
        self, bastion: _Bastion, hops: tuple[Hop, ...], proxy_command: str | None, deadline: Deadline, timeout_s: float
    ) -> None:
        """Log in to a bastion for all who wait for it, and once more if that may help."""
        try:
            while True:
                try:
                    dialled = self._dial_hop(hops, proxy_command, deadline, timeout_s)
                    bastion.open(hops[-1], dialled, deadline, timeout_s)
                except HostError as error:
                    pause = random.uniform(0.1, 0.4)  # noqa: S311 - jitter, not a secret
                    if not bastion.may_try_again(error) or pause >= deadline.remaining():
                        bastion.fail(error)
                        return
                    time.sleep(pause)
                else:
                    return
        except BaseException as error:
            bastion.fail(HostError(Phase.CONNECT, "bastion", f"{type(error).__name__}: {error}"))
            raise

    def _dial_hop(
        self, hops: tuple[Hop, ...], proxy_command: str | None, deadline: Deadline, timeout_s: float
    ) -> Dialled:
        if len(hops) > 1:
            return _through(self._reach(hops[:-1], proxy_command, deadline, timeout_s), hops[-2], hops[-1], deadline)
        if proxy_command is not None:
            return dial_command(proxy_command, hops[0].words)
        return dial(hops[0].connection.host, hops[0].connection.port, deadline, timeout_s)


def _key(hops: tuple[Hop, ...], proxy_command: str | None) -> tuple[tuple[str, ...], ...]:
    """What must be the same where two hosts share a connection: every hop, how it is verified and logged in to."""
    return ((proxy_command or "",), *(hop.identity for hop in hops))


class _Bastion:
    """One bastion's connection: being opened, open, or ended with what ended it."""

    def __init__(self, before: _Bastion | None) -> None:
        self._attempts: int = 1 if before is None else before._attempts + 1
        self._before = before
        self._settled = threading.Event()
        self._client: paramiko.SSHClient | None = None
        self._transport: StreamlocalTransport | None = None
        self._dialled: Dialled | None = None
        self._error: HostError | None = None

    @property
    def ended(self) -> bool:
        """Whether it was open and is no more."""
        return self._settled.is_set() and self._transport is not None and not self._transport.active

    @property
    def may_be_replaced(self) -> bool:
        """Whether it has died, and hasn't been tried again yet."""
        return self.ended and self._attempts < ATTEMPTS

    def may_try_again(self, error: HostError) -> bool:
        """Whether another attempt is left, and may help. It is used up by this."""
        if self._attempts >= ATTEMPTS or error.phase is not Phase.CONNECT or error.kind not in _PASSES:
            return False
        self._attempts += 1
        return True

    def open(self, hop: Hop, dialled: Dialled, deadline: Deadline, timeout_s: float) -> None:
        """Log in. Raises HostError; the stream is closed then."""
        client, transport, _ = log_in(hop, dialled, deadline, timeout_s)
        self._client, self._transport, self._dialled = client, transport, dialled
        self._settled.set()

    def fail(self, error: HostError) -> None:
        """Say to all who wait why there is no connection."""
        self._error = error
        self._settled.set()

    def wait(self, hop: Hop, deadline: Deadline) -> StreamlocalTransport:
        """The open connection. Raises HostError."""
        if not self._settled.wait(deadline.remaining()):
            raise HostError(Phase.CONNECT, "bastion", f"bastion {hop.where} was not reached in time", _look_at(hop))
        if self._error is not None:
            error = self._error
            told = error.message.removeprefix(hop.where).lstrip(": ")
            told = error.message if error.kind == "bastion" else f"bastion {hop.where}: {told}"
            raise HostError(error.phase, "bastion", told, error.remedy or _look_at(hop))
        if self._transport is None or not self._transport.active:
            raise _ended(hop, None)
        return self._transport

    def shut(self) -> None:
        """End what blocks on the connection. Never blocks itself."""
        if self._dialled is not None and self._dialled.direct:
            self._dialled.shut()

    def close(self) -> None:
        """End the connection, and those that it took the place of."""
        if self._client is not None and self._dialled is not None:
            log_out(self._client, self._dialled.shut)
        if self._transport is not None:
            self._transport.join(THREAD_ENDS_S)
        if self._dialled is not None:
            self._dialled.close()
        if self._before is not None:
            self._before.close()


def _through(transport: StreamlocalTransport, bastion: Hop, hop: Hop, deadline: Deadline) -> Dialled:
    """A stream to ``hop`` as its bastion sees it. A bastion may be busy with others: that is tried again."""
    address = (str(hop.connection.host), int(hop.connection.port))
    while True:
        try:
            channel = transport.open_channel(
                "direct-tcpip", address, ("127.0.0.1", 0), timeout=max(0.001, deadline.remaining())
            )
        except paramiko.ChannelException as error:
            if error.code == 4 and deadline.remaining() > 1:  # a shortage of resources passes
                time.sleep(random.uniform(0.1, 0.3))  # noqa: S311 - jitter, not a secret
                continue
            raise HostError(
                Phase.CONNECT,
                "forbidden" if error.code == 1 else "refused",
                f"bastion {bastion.where} opened no stream to {hop.where}: {error.text}",
                f"{bastion.ssh} sudo sshd -T | grep -iE 'allowtcpforwarding|permitopen|disableforwarding', and look "
                "for restrict or no-port-forwarding in authorized_keys there"
                if error.code == 1
                else f"check that the box is up: {bastion.ssh} nc -vz {address[0]} {address[1]}",
            ) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            if transport.active and deadline.expired:
                raise HostError(
                    Phase.CONNECT,
                    "timeout",
                    f"bastion {bastion.where} opened no stream to {hop.where} in time",
                    f"look at what lies between them: {bastion.ssh} nc -vz {address[0]} {address[1]}",
                ) from error
            raise _ended(bastion, error) from error
        channel.settimeout(deadline.remaining())
        return Dialled(channel)


def _ended(bastion: Hop, error: BaseException | None) -> HostError:
    why = f": {describe(error)}" if error is not None else ""
    return HostError(
        Phase.CONNECT, "bastion", f"the connection to bastion {bastion.where} ended{why}", _look_at(bastion)
    )


def _look_at(hop: Hop) -> str:
    return f"look at the bastion: {hop.ssh} true"
