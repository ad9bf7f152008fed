"""Logging in to one hop over a socket that was dialled already: the handshake, the host key, the user's key."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

import fabric
import paramiko

from fleetsweep.errors import HostError, Phase
from fleetsweep.model.survey import PhaseObserver, ignore_phase
from fleetsweep.runtime.capacity import out_of_room
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.ssh.dial import Dialled, Socket, describe
from fleetsweep.ssh.host_keys import HostKeyPolicy, read_known_hosts
from fleetsweep.ssh.identities import Keyring, PublicKeyAuth
from fleetsweep.ssh.known_hosts import fingerprint
from fleetsweep.ssh.route import Hop
from fleetsweep.ssh.transport import StreamlocalTransport, UnendingGreetingError

# paramiko reports on its own threads' ends; what matters of that reaches the host's row.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Server:
    """Who answered: sshd's version line, the type and fingerprint of its key, and the user that was let in."""

    version: str
    key_type: str
    fingerprint: str
    user: str


def check_keys(hop: Hop) -> None:
    """Raise HostError, phase auth, where no key could be offered: that can be told before anything is contacted."""
    Keyring(hop.key_files, hop.certificate, hop.agent).close()


class HungUp(HostError):
    """The server ended the connection before the log-in, as one that is busy with other newcomers does.

    ``greeted`` says that it had told its version by then: it was not too busy for that.
    """

    def __init__(self, message: str, remedy: str, *, greeted: bool) -> None:
        super().__init__(Phase.CONNECT, "hung-up", message, remedy)
        self.greeted = greeted


def log_out(client: paramiko.SSHClient, shut: Callable[[], None]) -> None:
    """End a connection and its thread. What it goes over may have ended first: a bastion's death is no news here.

    ``shut`` comes first: the thread sleeps on the socket, and once that is closed its number may be another's.
    """
    shut()
    transport = client.get_transport()
    if transport is not None and transport.is_alive():
        transport.join(1)
    with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
        client.close()


def log_in(
    hop: Hop, dialled: Dialled, deadline: Deadline, timeout_s: float, observe: PhaseObserver = ignore_phase
) -> tuple[paramiko.SSHClient, StreamlocalTransport, Server]:
    """Shake hands, verify the host's key, and authenticate, all before the deadline: the stream is shut at it.

    Raises HostError, phase connect, host-key or auth; the stream is closed then.
    """
    try:
        with Keyring(hop.key_files, hop.certificate, hop.agent) as keyring:
            names = ", ".join(hop.key_files) or "the agent's and the usual keys"
            offer = PublicKeyAuth(str(hop.connection.user), keyring.keys, names, hop.where)
            return _log_in(hop, offer, dialled, deadline, timeout_s, observe)
    except HostError as error:
        explained = dialled.explain(error)
        dialled.close()
        if explained is error:
            raise
        raise explained from error
    except BaseException:
        dialled.close()
        raise


def _log_in(
    hop: Hop, offer: PublicKeyAuth, dialled: Dialled, deadline: Deadline, timeout_s: float, observe: PhaseObserver
) -> tuple[paramiko.SSHClient, StreamlocalTransport, Server]:
    connection = hop.connection
    policy = HostKeyPolicy(hop.known_hosts, hop.key_name, hop.key_port, hop.trust, hop.scan)
    known_types = read_known_hosts(hop.known_hosts).key_types(hop.key_name, hop.key_port)
    client: paramiko.SSHClient = connection.client
    # fabric would accept any key.
    client.set_missing_host_key_policy(policy)
    connection.connect_kwargs = {
        "sock": dialled.sock,
        "auth_strategy": offer,
        "transport_factory": _transport_factory(known_types),
    }
    try:
        _open_in_time(connection, dialled, deadline)
    except BaseException as error:
        transport = client.get_transport()
        log_out(client, dialled.shut)
        if not isinstance(error, Exception) or out_of_room(error):
            raise
        if not isinstance(transport, StreamlocalTransport):
            raise
        _tell_handshake(transport, policy, observe)
        if isinstance(error, HostError):
            raise
        raise _login_error(error, transport, hop, policy, deadline, timeout_s) from error
    transport = client.get_transport()
    if not isinstance(transport, StreamlocalTransport) or policy.key is None:
        log_out(client, dialled.shut)
        raise TypeError("the connection's transport is not the one that was asked for")
    _tell_handshake(transport, policy, observe)
    presented = policy.key
    offered = transport.last_key
    observe(
        Phase.AUTH,
        {
            "user": str(connection.user),
            "key_type": offered.get_name() if offered is not None else "",
            "key": fingerprint(offered.asbytes()) if offered is not None else "",
        },
    )
    server = Server(
        transport.remote_version, presented.get_name(), fingerprint(presented.asbytes()), str(connection.user)
    )
    return client, transport, server


def _open_in_time(connection: fabric.Connection, dialled: Dialled, deadline: Deadline) -> None:
    with deadline.closing(dialled.shut):
        connection.open()
    if deadline.expired:
        # The alarm may have gone off by now: then the stream is being shut this very moment.
        raise TimeoutError("the log-in ended as its time was up")


def _tell_handshake(transport: StreamlocalTransport, policy: HostKeyPolicy, observe: PhaseObserver) -> None:
    if policy.key is None:
        return
    observe(Phase.CONNECT, {"server": transport.remote_version.removeprefix("SSH-2.0-")})
    if policy.verified:
        observe(Phase.HOST_KEY, {"key_type": policy.key.get_name(), "key": fingerprint(policy.key.asbytes())})


def _transport_factory(known_types: tuple[str, ...]) -> Callable[..., StreamlocalTransport]:
    def make(sock: Socket, **kwargs: object) -> StreamlocalTransport:
        transport = StreamlocalTransport(sock, **kwargs)
        options = transport.get_security_options()
        # Ask for a key of a type that is known first, or a server with several looks like a changed one.
        wanted = {"rsa-sha2-512", "rsa-sha2-256"} if "ssh-rsa" in known_types else set()
        wanted.update(known_types)
        options.key_types = sorted(options.key_types, key=lambda name: name not in wanted)
        return transport

    return make


def _login_error(
    error: Exception,
    transport: StreamlocalTransport,
    hop: Hop,
    policy: HostKeyPolicy,
    deadline: Deadline,
    timeout_s: float,
) -> HostError:
    """Say in our words what paramiko met. Before the host key was verified the phase is connect, then auth."""
    where = hop.where
    if not isinstance(error, (paramiko.SSHException, EOFError, OSError)):
        raise error
    if deadline.expired:
        phase = Phase.AUTH if policy.verified else Phase.CONNECT
        doing = f"logging in as {hop.connection.user}" if policy.verified else _stage(transport)
        return HostError(
            phase,
            "timeout",
            f"{where}: {doing} did not end within {timeout_s:g} s",
            "look at the load of the box, or raise --timeout",
        )
    if policy.verified:
        return _auth_error(error, transport, hop)
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return HostError(
            Phase.CONNECT,
            "incompatible",
            f"{where}: {describe(error)}",
            "update sshd on the box: it offers only algorithms that are no longer safe",
        )
    said = transport.farewell or " ".join(transport.greeting)
    told = f"; it said {said[:200]!r}" if said else ""
    greeted = bool(transport.remote_version)
    if not greeted and (len(transport.greeting) > 1 or isinstance(error.__context__, UnendingGreetingError)):
        return HostError(
            Phase.CONNECT,
            "not-ssh",
            f"{where} speaks, but not SSH: {describe(error.__context__ or error)}{told}",
            "check the port: another service listens there",
        )
    return HungUp(
        f"{where} hung up in the SSH handshake: {describe(error)}{told}",
        "check that it is an sshd, its log, and its MaxStartups",
        greeted=greeted,
    )


def _stage(transport: StreamlocalTransport) -> str:
    """How far a handshake came."""
    return "the key exchange" if transport.remote_version else "the wait for SSH's version line"


def _auth_error(error: Exception, transport: StreamlocalTransport, hop: Hop) -> HostError:
    user, where = hop.connection.user, hop.where
    offered = ", ".join(hop.key_files) or "the agent's and the usual keys"
    if transport.farewell or "transport shut down" in str(error):
        said = f", saying {transport.farewell[:200]!r}" if transport.farewell else ""
        return HostError(
            Phase.AUTH,
            "hung-up",
            f"{where} hung up on the log-in as {user} with {offered}{said}",
            "look at sshd's log on the box"
            if hop.key_files
            else "name the one key to offer with --private-key: a server counts each of an agent's as a failed try",
        )
    if isinstance(error, paramiko.AuthenticationException) or "No authentication methods" in str(error):
        return HostError(
            Phase.AUTH,
            "denied",
            f"{user}@{where} refused {offered}: {describe(error)}",
            f"add the public key to authorized_keys of {user} on the box, or name another key or user",
        )
    return HostError(
        Phase.AUTH, "hung-up", f"{where} hung up on the log-in: {describe(error)}", "look at sshd's log on the box"
    )
