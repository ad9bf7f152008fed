"""The streams under SSH: a TCP connection or a ProxyCommand, each within a deadline."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Collection

import paramiko

from fleetsweep.errors import FaultKind, HostError, Phase
from fleetsweep.model.survey import PhaseObserver, ignore_phase
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.ssh.proxy_command import ProxyCommand

Socket = socket.socket | paramiko.Channel


class Dialled:
    """A socket or a bastion's stream, with the ProxyCommand at its other end if there is one."""

    def __init__(self, sock: Socket, command: ProxyCommand | None = None) -> None:
        self.sock = sock
        self._command = command

    @property
    def direct(self) -> bool:
        """Whether this is a local socket and not a bastion's stream."""
        return isinstance(self.sock, socket.socket)

    def shut(self) -> None:
        """Unblock everything that waits on the stream. Never blocks."""
        if isinstance(self.sock, socket.socket):
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)
            return
        # Closing a channel sends a message over its bastion's connection, which may be stuck.
        threading.Thread(target=self._close_stream, name="fleetsweep-shut", daemon=True).start()

    def _close_stream(self) -> None:
        # The bastion's connection may have ended before its stream.
        with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
            self.sock.close()

    def explain(self, error: HostError) -> HostError:
        """Return the error of a log-in over this stream, with the ProxyCommand's exit status and output added."""
        return error if self._command is None or error.phase is not Phase.CONNECT else self._command.explain(error)

    def close(self) -> None:
        """Close the stream; end the ProxyCommand and its children."""
        self._close_stream()
        if self._command is not None:
            self._command.end()


def dial(
    name: str,
    port: int,
    deadline: Deadline,
    timeout_s: float,
    observe: PhaseObserver = ignore_phase,
    family: int = socket.AF_UNSPEC,
) -> Dialled:
    """Open a TCP connection in an address family. Raises HostError, phase resolve or connect."""
    failure: OSError | None = None
    found = _resolve(name, port, deadline, timeout_s, family)
    observe(Phase.RESOLVE, {"address": ", ".join(dict.fromkeys(str(address[0]) for _, address in found))})
    for left, (kind, address) in zip(range(len(found), 0, -1), found, strict=True):
        sock = socket.socket(kind, socket.SOCK_STREAM)
        try:
            # A name may have an unreachable IPv6 address: each address gets its share of the time.
            sock.settimeout(max(0.001, deadline.remaining() / left))
            sock.connect(address)
            # Without TCP_NODELAY a request of two small packets waits 40 ms for the first one's acknowledgement.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return Dialled(sock)
    if isinstance(failure, TimeoutError) or failure is None:
        raise HostError(
            Phase.CONNECT,
            FaultKind.TIMEOUT,
            f"no TCP connection to {name} port {port} within {timeout_s:g} s",
            "check that the box is up and that no firewall drops the port",
        )
    raise HostError(
        Phase.CONNECT,
        FaultKind.REFUSED if isinstance(failure, ConnectionRefusedError) else FaultKind.NETWORK,
        f"{name} port {port}: {describe(failure)}",
        "check that sshd runs on the box and listens on that port",
    ) from failure


def dial_command(command: str, known: Collection[str] = ()) -> Dialled:
    """Open a connection through a ProxyCommand. Raises HostError, phase connect.

    Errors never show the command. Its output is redacted, except for the words in ``known``.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            return Dialled(ours, ProxyCommand(command, theirs, known))
        except BaseException:
            ours.close()
            raise


def _resolve(
    name: str, port: int, deadline: Deadline, timeout_s: float, family: int
) -> list[tuple[int, tuple[object, ...]]]:
    """Return the addresses of a name. getaddrinfo has no timeout, so it runs in a thread that can be abandoned."""
    results: list[list[tuple[int, tuple[object, ...]]] | OSError | UnicodeError] = []

    def look_up(flags: int = 0) -> None:
        try:
            found = socket.getaddrinfo(name, port, family, type=socket.SOCK_STREAM, flags=flags)
            results.append([(item[0], item[4]) for item in found])
        except (OSError, UnicodeError) as error:
            results.append(error)

    look_up(socket.AI_NUMERICHOST)
    if not isinstance(results[0], list):
        results.clear()
        thread = threading.Thread(target=look_up, name="fleetsweep-resolve", daemon=True)
        thread.start()
        thread.join(deadline.remaining())
    if not results:
        raise HostError(
            Phase.RESOLVE,
            FaultKind.TIMEOUT,
            f"the name {name} was not resolved within {timeout_s:g} s",
            "check that the name servers in /etc/resolv.conf respond",
        )
    if not isinstance(results[0], list):
        if isinstance(results[0], socket.gaierror) and results[0].errno == socket.EAI_AGAIN:
            raise HostError(
                Phase.RESOLVE,
                FaultKind.NO_DNS,
                f"{name}: {describe(results[0])}",
                "check that the name servers in /etc/resolv.conf respond",
            )
        raise HostError(
            Phase.RESOLVE,
            FaultKind.UNKNOWN_NAME,
            f"{name}: {describe(results[0])}",
            "check ansible_host in the inventory, HostName in the SSH configuration, and DNS",
        )
    return results[0]


def describe(error: BaseException) -> str:
    """Return an exception's message in a few words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, EOFError):
        return "the other end closed the connection"
    return str(error) or type(error).__name__
