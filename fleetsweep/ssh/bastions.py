"""The connections to bastions: one to each for a whole run, shared by every host behind it."""

from __future__ import annotations

import random
import threading
import time
from types import TracebackType
from typing import Final

import paramiko

from fleetsweep.deadline import Deadline
from fleetsweep.errors import HostError, Phase
from fleetsweep.ssh.dial import Dialled, describe, dial, dial_command
from fleetsweep.ssh.login import log_in
from fleetsweep.ssh.route import Hop, Route
from fleetsweep.ssh.transport import StreamlocalTransport

ATTEMPTS: Final = 2
"""Connections that are tried to one bastion in a run."""


class Bastions:
    """Opens each bastion's connection when the first host needs it. Leaving the context closes them all.

    A host waits for a bastion no longer than its own deadline. When a bastion can't be reached, or dies, the hosts
    behind it fail, and no other.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: dict[tuple[str, ...], _Bastion] = {}

    def __enter__(self) -> Bastions:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            opened = [*self._opened.values()]
        for bastion in reversed(opened):
            bastion.close()

    def dial(self, route: Route, deadline: Deadline, timeout_s: float) -> Dialled:
        """The bytes to a route's last hop, through its bastions. Raises HostError."""
        transport = self._reach(route.bastions, route.proxy_command, deadline, timeout_s)
        return _through(transport, route.bastions[-1], route.target, deadline)

    def _reach(
        self, hops: tuple[Hop, ...], proxy_command: str | None, deadline: Deadline, timeout_s: float
    ) -> StreamlocalTransport:
        """The open connection to the last of ``hops``."""
        key = (proxy_command or "", *(f"{hop.connection.user}@{hop.where}" for hop in hops))
        with self._lock:
            before = self._opened.get(key)
            if before is not None and not (before.ended and before.attempt < ATTEMPTS):
                bastion, ours = before, False
            else:
                bastion, ours = _Bastion(before), True
                self._opened[key] = bastion
        if not ours:
            return bastion.wait(hops[-1], deadline)
        try:
            bastion.open(hops[-1], self._dial_hop(hops, proxy_command, deadline, timeout_s), deadline, timeout_s)
        except HostError as error:
            bastion.fail(error)
        except BaseException as error:
            bastion.fail(HostError(Phase.CONNECT, "bastion", f"{type(error).__name__}: {error}"))
            raise
        return bastion.wait(hops[-1], deadline)

    def _dial_hop(
        self, hops: tuple[Hop, ...], proxy_command: str | None, deadline: Deadline, timeout_s: float
    ) -> Dialled:
        if len(hops) > 1:
            return _through(self._reach(hops[:-1], proxy_command, deadline, timeout_s), hops[-2], hops[-1], deadline)
        if proxy_command is not None:
            return dial_command(proxy_command)
        return dial(hops[0].connection.host, hops[0].connection.port, deadline, timeout_s)


class _Bastion:
    """One bastion's connection: being opened, open, or ended with what ended it."""

    def __init__(self, before: _Bastion | None) -> None:
        self.attempt: int = 1 if before is None else before.attempt + 1
        self._before = before
        self._settled = threading.Event()
        self._client: paramiko.SSHClient | None = None
        self._transport: StreamlocalTransport | None = None
        self._dialled: Dialled | None = None
        self._error: HostError | None = None

    @property
    def ended(self) -> bool:
        """Whether it could not be opened, or was and is no more."""
        if not self._settled.is_set():
            return False
        return self._transport is None or not self._transport.active

    def open(self, hop: Hop, dialled: Dialled, deadline: Deadline, timeout_s: float) -> None:
        """Log in. Raises HostError."""
        self._dialled = dialled
        self._client, self._transport, _ = log_in(hop, dialled.sock, dialled.shut, deadline, timeout_s)
        self._settled.set()

    def fail(self, error: HostError) -> None:
        """Say to all who wait why there is no connection."""
        self._error = error
        self._settled.set()

    def wait(self, hop: Hop, deadline: Deadline) -> StreamlocalTransport:
        """The open connection. Raises HostError."""
        if not self._settled.wait(deadline.remaining()):
            raise HostError(
                Phase.CONNECT, "bastion", f"bastion {hop.where} was not reached in time", "look at the bastion"
            )
        if self._error is not None:
            error = self._error
            raise HostError(error.phase, "bastion", f"bastion {hop.where}: {error.message}", error.remedy)
        if self._transport is None or not self._transport.active:
            raise _ended(hop, None)
        return self._transport

    def close(self) -> None:
        """End the connection, and those that it took the place of."""
        if self._client is not None:
            self._client.close()
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
                "allow TCP forwarding in the bastion's sshd_config"
                if error.code == 1
                else "check that the box is up, and that its sshd can be reached from the bastion",
            ) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            if transport.active and deadline.expired:
                raise HostError(
                    Phase.CONNECT,
                    "timeout",
                    f"bastion {bastion.where} opened no stream to {hop.where} in time",
                    "look at the bastion, and at what lies between it and the box",
                ) from error
            raise _ended(bastion, error) from error
        channel.settimeout(deadline.remaining())
        return Dialled(channel)


def _ended(bastion: Hop, error: BaseException | None) -> HostError:
    why = f": {describe(error)}" if error is not None else ""
    return HostError(
        Phase.CONNECT, "bastion", f"the connection to bastion {bastion.where} ended{why}", "look at the bastion"
    )
