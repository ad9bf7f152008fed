"""The bytes below SSH: a TCP connection, or what a ProxyCommand gives, each within a deadline."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Collection

import paramiko

from fleetsweep.errors import HostError, Phase
from fleetsweep.model.survey import PhaseObserver, ignore_phase
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.ssh.proxy_command import ProxyCommand

Socket = socket.socket | paramiko.Channel


class Dialled:
    """A socket or a bastion's stream, and the ProxyCommand at its other end if one made it.

    ``close`` leaves none of them.
    """

    def __init__(self, sock: Socket, command: ProxyCommand | None = None) -> None:
        self.sock = sock
        self._command = command

    @property
    def direct(self) -> bool:
        """Whether this is a socket of our own and no bastion's stream."""
        return isinstance(self.sock, socket.socket)

    def shut(self) -> None:
        """End what blocks on the socket. Never blocks itself."""
        if isinstance(self.sock, socket.socket):
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)
            return
        # A stream says goodbye over its bastion's connection, which may be stuck.
        threading.Thread(target=self._close_stream, name="fleetsweep-shut", daemon=True).start()

    def _close_stream(self) -> None:
        # The bastion may be gone before its stream.
        with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
            self.sock.close()

    def explain(self, error: HostError) -> HostError:
        """The error of a log-in over this stream, with what the ProxyCommand has to say of it."""
        return error if self._command is None or error.phase is not Phase.CONNECT else self._command.explain(error)

    def close(self) -> None:
        """Close the socket, and end the command and its children."""
        self._close_stream()
        if self._command is not None:
            self._command.end()


def dial(name: str, port: int, deadline: Deadline, timeout_s: float, observe: PhaseObserver = ignore_phase) -> Dialled:
    """A TCP connection. Raises HostError, phase resolve or connect."""
    failure: OSError | None = None
    found = _resolve(name, port, deadline, timeout_s)
    observe(Phase.RESOLVE, {"address": ", ".join(dict.fromkeys(str(address[0]) for _, address in found))})
    for left, (family, address) in zip(range(len(found), 0, -1), found, strict=True):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            # A name may have an IPv6 address that leads nowhere: the others get their share of the time.
            sock.settimeout(max(0.001, deadline.remaining() / left))
            sock.connect(address)
            # Without it a request of two small packets waits 40 ms for the first one's acknowledgement.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return Dialled(sock)
    if isinstance(failure, TimeoutError) or failure is None:
        raise HostError(
            Phase.CONNECT,
            "timeout",
            f"no TCP connection to {name} port {port} within {timeout_s:g} s",
            "check that the box is up and that no firewall drops the port",
        )
    raise HostError(
        Phase.CONNECT,
        "refused" if isinstance(failure, ConnectionRefusedError) else "network",
        f"{name} port {port}: {describe(failure)}",
        "check that sshd runs on the box and listens on that port",
    ) from failure


def dial_command(command: str, known: Collection[str] = ()) -> Dialled:
    """A connection through a ProxyCommand. Raises HostError, phase connect.

    No error shows the command; the words in ``known`` may be shown of what it says.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            return Dialled(ours, ProxyCommand(command, theirs, known))
        except BaseException:
            ours.close()
            raise


def _resolve(name: str, port: int, deadline: Deadline, timeout_s: float) -> list[tuple[int, tuple[object, ...]]]:
    """The addresses of a name. getaddrinfo has no timeout, so it runs where it can be left behind."""
    answers: list[list[tuple[int, tuple[object, ...]]] | OSError | UnicodeError] = []

    def look_up(flags: int = 0) -> None:
        try:
            found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=flags)
            answers.append([(family, address) for family, _, _, _, address in found])
        except (OSError, UnicodeError) as error:
            answers.append(error)

    look_up(socket.AI_NUMERICHOST)
    if not isinstance(answers[0], list):
        answers.clear()
        thread = threading.Thread(target=look_up, name="fleetsweep-resolve", daemon=True)
        thread.start()
        thread.join(deadline.remaining())
    if not answers:
        raise HostError(
            Phase.RESOLVE,
            "timeout",
            f"no answer for the name {name} within {timeout_s:g} s",
            "check that the name servers in /etc/resolv.conf answer",
        )
    if not isinstance(answers[0], list):
        if isinstance(answers[0], socket.gaierror) and answers[0].errno == socket.EAI_AGAIN:
            raise HostError(
                Phase.RESOLVE,
                "no-dns",
                f"{name}: {describe(answers[0])}",
                "check that the name servers in /etc/resolv.conf answer",
            )
        raise HostError(
            Phase.RESOLVE,
            "unknown-name",
            f"{name}: {describe(answers[0])}",
            "check ansible_host in the inventory, HostName in the SSH configuration, and DNS",
        )
    return answers[0]


def describe(error: BaseException) -> str:
    """What an exception says, in a few words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, EOFError):
        return "the other end hung up"
    return str(error) or type(error).__name__
