"""Logging in to one hop over a socket that was dialled already: the handshake, the host key, the user's key."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

import paramiko

from fleetsweep.deadline import Deadline
from fleetsweep.errors import HostError, Phase
from fleetsweep.ssh.dial import Socket, describe
from fleetsweep.ssh.host_keys import HostKeyPolicy, read_known_hosts
from fleetsweep.ssh.keys import Keyring, Offer
from fleetsweep.ssh.known_hosts import fingerprint
from fleetsweep.ssh.route import Hop
from fleetsweep.ssh.transport import StreamlocalTransport

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
    Keyring(hop.key_files).close()


def log_out(client: paramiko.SSHClient) -> None:
    """End a connection. What it goes over may have ended first: a bastion's death is no news here."""
    with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
        client.close()


def log_in(
    hop: Hop, sock: Socket, shut: Callable[[], None], deadline: Deadline, timeout_s: float
) -> tuple[paramiko.SSHClient, StreamlocalTransport, Server]:
    """Shake hands, verify the host's key, and authenticate, all before the deadline: ``shut`` is called at it.

    Raises HostError, phase connect, host-key or auth. The socket is the caller's to close.
    """
    with Keyring(hop.key_files) as keyring:
        names = ", ".join(hop.key_files) or "the agent's and the usual keys"
        offer = Offer(str(hop.connection.user), keyring.keys, names, hop.where)
        return _log_in(hop, offer, sock, shut, deadline, timeout_s)


def _log_in(
    hop: Hop, offer: Offer, sock: Socket, shut: Callable[[], None], deadline: Deadline, timeout_s: float
) -> tuple[paramiko.SSHClient, StreamlocalTransport, Server]:
    connection = hop.connection
    policy = HostKeyPolicy(hop.known_hosts, hop.key_name, hop.key_port, hop.trust, hop.scan)
    known_types = read_known_hosts(hop.known_hosts).key_types(hop.key_name, hop.key_port)
    client: paramiko.SSHClient = connection.client
    # fabric would accept any key.
    client.set_missing_host_key_policy(policy)
    connection.connect_timeout = None
    connection.connect_kwargs = {
        "sock": sock,
        "timeout": deadline.remaining(),
        "banner_timeout": deadline.remaining(),
        "auth_timeout": deadline.remaining(),
        "auth_strategy": offer,
        "transport_factory": _transport_factory(known_types),
    }
    with deadline.closing(shut):
        try:
            connection.open()
        except BaseException as error:
            log_out(client)
            if isinstance(error, HostError) or not isinstance(error, Exception):
                raise
            raise _login_error(error, hop, policy, deadline, timeout_s) from error
    transport = client.get_transport()
    if not isinstance(transport, StreamlocalTransport) or policy.key is None:
        log_out(client)
        raise TypeError("the connection's transport is not the one that was asked for")
    presented = policy.key
    server = Server(
        transport.remote_version, presented.get_name(), fingerprint(presented.asbytes()), str(connection.user)
    )
    return client, transport, server


def _transport_factory(known_types: tuple[str, ...]) -> Callable[..., StreamlocalTransport]:
    def make(sock: Socket, **kwargs: object) -> StreamlocalTransport:
        transport = StreamlocalTransport(sock, **kwargs)  # type: ignore[arg-type]
        options = transport.get_security_options()
        # Ask for a key of a type that is known first, or a server with several looks like a changed one.
        wanted = {"rsa-sha2-512", "rsa-sha2-256"} if "ssh-rsa" in known_types else set()
        wanted.update(known_types)
        options.key_types = sorted(options.key_types, key=lambda name: name not in wanted)
        return transport

    return make


def _login_error(error: Exception, hop: Hop, policy: HostKeyPolicy, deadline: Deadline, timeout_s: float) -> HostError:
    """Say in our words what paramiko met. Before the host key was verified the phase is connect, then auth."""
    where = hop.where
    user = hop.connection.user
    if not isinstance(error, (paramiko.SSHException, EOFError, OSError)):
        raise error
    if deadline.expired:
        phase = Phase.AUTH if policy.verified else Phase.CONNECT
        doing = f"logging in as {user}" if policy.verified else "the SSH handshake"
        return HostError(
            phase,
            "timeout",
            f"{where}: {doing} did not end within {timeout_s:g} s",
            "look at the load of the box, or raise --timeout",
        )
    if policy.verified:
        if isinstance(error, paramiko.AuthenticationException) or "No authentication methods" in str(error):
            return HostError(
                Phase.AUTH,
                "denied",
                f"{user}@{where} did not let us in: {describe(error)}",
                f"add the public key to authorized_keys of {user} on the box, or name another key or user",
            )
        return HostError(Phase.AUTH, "hung-up", f"{where} hung up on the log-in: {describe(error)}")
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return HostError(
            Phase.CONNECT,
            "incompatible",
            f"{where}: {describe(error)}",
            "update sshd on the box: it offers only algorithms that are no longer safe",
        )
    return HostError(
        Phase.CONNECT,
        "hung-up",
        f"{where} hung up in the SSH handshake: {describe(error)}",
        "check that it is an sshd, its log, and its MaxStartups",
    )
