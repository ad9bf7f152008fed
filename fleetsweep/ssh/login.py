"""Log in to one hop over a stream that is already open: handshake, host key check, authentication."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import fabric
import paramiko
from cryptography.exceptions import UnsupportedAlgorithm

from fleetsweep.errors import FaultKind, HostError, Phase
from fleetsweep.model.survey import PhaseObserver, ignore_phase
from fleetsweep.runtime.capacity import out_of_room
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.ssh.algorithms import signature_algorithms, usable_keys
from fleetsweep.ssh.commands import scan
from fleetsweep.ssh.dial import Dialled, Socket, describe
from fleetsweep.ssh.host_keys import HostKeyPolicy, KeyRules, read_known_hosts
from fleetsweep.ssh.identities import DEFAULT_KEYS, Keyring, PublicKeyAuth
from fleetsweep.ssh.known_hosts import KnownHosts, fingerprint
from fleetsweep.ssh.packets import GreetingTooLongError
from fleetsweep.ssh.route import Hop
from fleetsweep.ssh.transport import HostKeyError, StreamlocalTransport

# paramiko logs the errors of its threads; those that matter are raised to the caller, too.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


_UNSAFE: Final = re.compile(r"sha1|md5|arcfour|des|blowfish|cast128|ssh-dss|ssh-rsa|none|rijndael", re.ASCII)
"""Matches the names of algorithms that are no longer safe."""

DROPPED: Final = "Not allowed at this time"
"""What OpenSSH 9.8 and newer send before they drop a connection, for MaxStartups and PerSourcePenalties alike."""


@dataclass(frozen=True, slots=True)
class Server:
    """The server: sshd's version line, its key's type and fingerprint, and the user that is logged in."""

    version: str
    key_type: str
    fingerprint: str
    user: str


@contextmanager
def open_keys(hop: Hop) -> Iterator[tuple[paramiko.PKey, ...]]:
    """Yield the keys to offer. They can sign until the block ends, even if an agent holds them. Contacts no host.

    Raises HostError, phase auth, if there is none.
    """
    defaults = DEFAULT_KEYS if hop.offers_defaults else ()
    with Keyring(hop.key_files, hop.certificate, hop.agent, defaults) as keyring:
        yield usable_keys(keyring.keys, hop.pubkey_algorithms, hop.min_rsa_bits)


class ServerDisconnected(HostError):
    """The server closed the connection before authentication, as sshd does beyond MaxStartups.

    ``greeted`` is whether it had sent its version line by then, which such a busy sshd does not. ``penalized`` is
    whether it may have blocked this machine for some time (PerSourcePenalties).
    """

    def __init__(self, message: str, remedy: str, *, greeted: bool, penalized: bool = False) -> None:
        super().__init__(Phase.CONNECT, FaultKind.HUNG_UP, message, remedy)
        self.greeted = greeted
        self.penalized = penalized


def log_out(client: paramiko.SSHClient, shut: Callable[[], None]) -> None:
    """Close a connection. Errors are ignored: a bastion's connection may have ended before.

    ``shut`` is called first to wake up the thread that reads: once its socket is closed, the descriptor may be reused.
    """
    shut()
    transport = client.get_transport()
    if isinstance(transport, StreamlocalTransport):
        transport.wait_until_unread(1)
    with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
        client.close()


def log_in(
    hop: Hop,
    keys: Sequence[paramiko.PKey],
    dialled: Dialled,
    deadline: Deadline,
    timeout_s: float,
    observe: PhaseObserver = ignore_phase,
) -> tuple[paramiko.SSHClient, StreamlocalTransport, Server]:
    """Do the handshake, verify the host key and authenticate with ``keys``. The stream is shut at the deadline.

    Raises HostError, phase connect, host-key or auth, and closes the stream then.
    """
    try:
        auth = PublicKeyAuth(str(hop.connection.user), keys, _key_names(hop), hop.where)
        return _log_in(hop, auth, dialled, deadline, timeout_s, observe)
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
    hop: Hop, auth: PublicKeyAuth, dialled: Dialled, deadline: Deadline, timeout_s: float, observe: PhaseObserver
) -> tuple[paramiko.SSHClient, StreamlocalTransport, Server]:
    connection = hop.connection
    known = read_known_hosts(hop.known_hosts)
    policy = HostKeyPolicy(
        hop.known_hosts,
        hop.key_name,
        hop.key_port,
        hop.trust,
        scan(hop),
        KeyRules(
            hop.save_to,
            hop.revoked_keys,
            hop.min_rsa_bits,
            hop.ca_algorithms,
            hop.not_obeyed,
            hop.host,
            hop.on_unknown_key,
        ),
        known,
    )
    client: paramiko.SSHClient = connection.client
    # fabric would accept any key.
    client.set_missing_host_key_policy(policy)
    # paramiko's own are empty, and create a class at each look-up.
    client._system_host_keys = client._host_keys = {}  # type: ignore[attr-defined]
    connection.connect_kwargs = {
        "sock": dialled.sock,
        "auth_strategy": auth,
        "transport_factory": _transport_factory(known, hop),
    }
    try:
        try:
            _open_before(connection, dialled, deadline)
        finally:
            # The factory holds the hop, which holds the connection: a reference cycle.
            connection.connect_kwargs = {}
    except BaseException as error:
        transport = client.get_transport()
        log_out(client, dialled.shut)
        if not isinstance(error, Exception) or out_of_room(error):
            raise
        if not isinstance(transport, StreamlocalTransport):
            raise
        _report_handshake(transport, policy, observe)
        if isinstance(error, HostError):
            raise
        raise _login_error(error, transport, hop, policy, deadline, timeout_s) from error
    transport = client.get_transport()
    if not isinstance(transport, StreamlocalTransport) or policy.key is None:
        log_out(client, dialled.shut)
        raise TypeError("the connection does not use StreamlocalTransport")
    _report_handshake(transport, policy, observe)
    user, offered = str(connection.user), transport.last_key
    if observe is not ignore_phase:
        key_type = offered.get_name() if offered is not None else ""
        key = fingerprint(offered.asbytes()) if offered is not None else ""
        observe(Phase.AUTH, {"user": user, "key_type": key_type, "key": key})
    presented = policy.key
    server = Server(transport.remote_version, presented.get_name(), fingerprint(presented.asbytes()), user)
    return client, transport, server


def _open_before(connection: fabric.Connection, dialled: Dialled, deadline: Deadline) -> None:
    with deadline.closing(dialled.shut):
        connection.open()
    if deadline.expired:
        # The watchdog may be shutting the stream at this moment.
        raise TimeoutError("the log-in ended at its deadline")


def _report_handshake(transport: StreamlocalTransport, policy: HostKeyPolicy, observe: PhaseObserver) -> None:
    if policy.key is None or observe is ignore_phase:
        return
    observe(Phase.CONNECT, {"server": transport.remote_version.removeprefix("SSH-2.0-")})
    if policy.verified:
        observe(Phase.HOST_KEY, {"key_type": policy.key.get_name(), "key": fingerprint(policy.key.asbytes())})


def _transport_factory(known: KnownHosts, hop: Hop) -> Callable[..., StreamlocalTransport]:
    known_types = known.key_types(hop.key_name, hop.key_port)

    def make(sock: Socket, **kwargs: object) -> StreamlocalTransport:
        transport = StreamlocalTransport(sock, **kwargs)
        options = transport.get_security_options()
        # Prefer the key types that are known. With another one, a server's key would look changed.
        wanted = {"rsa-sha2-512", "rsa-sha2-256"} if "ssh-rsa" in known_types else set()
        wanted.update(known_types)
        options.key_types = sorted(options.key_types, key=lambda name: name not in wanted)
        # A revoked authority, or a revoked certificate, is seen only in a certificate.
        if (
            known.authorities(hop.key_name, hop.key_port)
            or known.revocations(hop.key_name, hop.key_port)
            or hop.revoked_keys is not None
        ):
            transport.prefer_certificates()
        if hop.host_key_algorithms is not None:
            transport.allow_host_keys(hop.host_key_algorithms)
        if hop.pubkey_algorithms is not None:
            transport.accept_signatures(signature_algorithms(hop.pubkey_algorithms))
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
    """Map paramiko's error to a HostError: phase connect until the host key is verified, then auth."""
    where = hop.where
    malformed = policy.key is None and isinstance(error, (ValueError, UnsupportedAlgorithm))
    if not malformed and not isinstance(error, (paramiko.SSHException, EOFError, OSError)):
        raise error
    if deadline.expired:
        phase = Phase.AUTH if policy.verified else Phase.CONNECT
        stage = f"the log-in as {hop.connection.user}" if policy.verified else _handshake_stage(transport)
        return HostError(
            phase,
            FaultKind.TIMEOUT,
            f"{where}: {stage} did not end within {timeout_s:g} s",
            "check the load of the box, or raise --timeout",
        )
    return _auth_error(error, transport, hop) if policy.verified else _handshake_error(error, transport, where)


def _handshake_error(error: Exception, transport: StreamlocalTransport, where: str) -> HostError:
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return _incompatible(error, transport, where)
    if isinstance(error, HostKeyError):
        return HostError(
            Phase.HOST_KEY,
            FaultKind.UNPROVED,
            f"{where} did not prove that it has its host key: {error}",
            "check sshd's host keys on the box; another machine may pretend to be it",
        )
    if not isinstance(error, (paramiko.SSHException, EOFError, OSError)):
        return HostError(
            Phase.CONNECT,
            FaultKind.NOT_SSH,
            f"{where} sent an invalid key exchange: {describe(error)}",
            "check the port, and sshd's log on the box",
        )
    text = transport.disconnect_message or " ".join(transport.greeting)
    suffix = f"; its message: {text[:200]!r}" if text else ""
    greeted = bool(transport.remote_version)
    penalized = not greeted and DROPPED in text
    if (
        not greeted
        and not penalized
        and (len(transport.greeting) > 1 or isinstance(error.__context__, GreetingTooLongError))
    ):
        return HostError(
            Phase.CONNECT,
            FaultKind.NOT_SSH,
            f"{where} is not an SSH server: {describe(error.__context__ or error)}{suffix}",
            "check the port: another service listens there",
        )
    return ServerDisconnected(
        f"{where} closed the connection during the SSH handshake: {describe(error)}{suffix}",
        "check sshd's log on the box: it is busy (MaxStartups), or it blocks this machine for some time after failed"
        " log-ins (PerSourcePenalties); then add this machine's address to its PerSourcePenaltyExemptList"
        if penalized
        else "check that it is an sshd, its log, and its MaxStartups",
        greeted=greeted,
        penalized=penalized,
    )


def _incompatible(error: Exception, transport: StreamlocalTransport, where: str) -> HostError:
    found = transport.find_mismatch()
    if found is None:
        return HostError(
            Phase.CONNECT, FaultKind.INCOMPATIBLE, f"{where}: {describe(error)}", "update sshd on the box to SSH 2"
        )
    theirs, ours = ", ".join(found.theirs) or "none", ", ".join(found.ours)
    verb = "may use" if found.forbidden else "has"
    message = f"{where}: no {found.kind} algorithm in common: the box offers {theirs}; fleetsweep {verb} {ours}"
    if found.forbidden:
        remedy = f"the box has {', '.join(found.forbidden)}: allow one in HostKeyAlgorithms of the SSH configuration"
    elif all(_UNSAFE.search(name) for name in found.theirs):
        remedy = "update sshd on the box: it offers only algorithms that are no longer safe"
    else:
        remedy = f"fleetsweep lacks what the box offers; add to that list in its sshd_config: {found.advice}"
    return HostError(Phase.CONNECT, FaultKind.INCOMPATIBLE, message, remedy)


def _handshake_stage(transport: StreamlocalTransport) -> str:
    """Return the stage that a handshake had reached."""
    return "the key exchange" if transport.remote_version else "the wait for SSH's version line"


def _key_names(hop: Hop) -> str:
    return ", ".join(hop.key_files) or "the keys of the agent and of the default files"


def _auth_error(error: Exception, transport: StreamlocalTransport, hop: Hop) -> HostError:
    user, where, offered = hop.connection.user, hop.where, _key_names(hop)
    if transport.disconnect_message or "transport shut down" in str(error):
        text = f"; its message: {transport.disconnect_message[:200]!r}" if transport.disconnect_message else ""
        return HostError(
            Phase.AUTH,
            FaultKind.HUNG_UP,
            f"{where} closed the connection during the log-in as {user} with {offered}{text}",
            "check sshd's log on the box"
            if hop.key_files
            else "name the one key to offer with --private-key: a server counts each refused key as a failed attempt",
        )
    if isinstance(error, paramiko.AuthenticationException) or "No authentication methods" in str(error):
        return HostError(
            Phase.AUTH,
            FaultKind.DENIED,
            f"{user}@{where} refused {offered}: {describe(error)}",
            f"add the public key to authorized_keys of {user} on the box, or name another key or user",
        )
    return HostError(
        Phase.AUTH,
        FaultKind.HUNG_UP,
        f"{where} closed the connection during the log-in: {describe(error)}",
        "check sshd's log on the box",
    )
