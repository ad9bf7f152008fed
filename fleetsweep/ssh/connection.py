"""One verified, deadline-bounded SSH connection; it opens channels to a socket on the box.

fabric resolves the configuration, paramiko carries the bytes, and what neither does is done here: the host key is
checked against our own reading of known_hosts, small packets are not held back, and nothing outlives its
deadline.
"""

from __future__ import annotations

import contextlib
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import fabric
import paramiko

from fleetsweep.deadline import Deadline
from fleetsweep.errors import HostError, Phase
from fleetsweep.model import Host
from fleetsweep.ssh.keys import USUAL_KNOWN_HOSTS, StrictPolicy, load_private_key, read_known_hosts
from fleetsweep.ssh.options import SshOptions
from fleetsweep.ssh.transport import StreamlocalTransport

# paramiko reports on its own threads' ends; what matters of that reaches the host's row.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

CONNECT_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class _Route:
    """Where a connection goes, after the inventory, the flags and the SSH configuration had their say."""

    connection: fabric.Connection
    key_name: str
    key_files: tuple[str, ...]
    known_hosts: tuple[str, ...]


class SshConnection:
    """An authenticated connection to one box."""

    def __init__(self, transport: StreamlocalTransport) -> None:
        self._transport = transport

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

    def _open(self, opener: Callable[[], paramiko.Channel], path: str, deadline: Deadline) -> paramiko.Channel:
        try:
            channel = opener()
        except paramiko.ChannelException as error:
            raise HostError(
                Phase.TUNNEL,
                "refused",
                f"sshd opened no channel to {path}: {error.text}",
                f"check on the box that {path} is there and yours to use (docker group), and that sshd_config and "
                "authorized_keys allow stream-local forwarding",
            ) from error
        except TimeoutError as error:
            raise HostError(Phase.TUNNEL, "timeout", str(error), "look at the load of the box") from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise HostError(
                Phase.TUNNEL,
                "lost",
                f"the connection ended: {describe(error)}",
                "look at sshd's log on the box",
            ) from error
        channel.settimeout(deadline.remaining())
        return channel


@contextmanager
def connect(host: Host, options: SshOptions, deadline: Deadline) -> Iterator[SshConnection]:
    """A connection to ``host`` that is gone when the block ends. Raises HostError."""
    route = _route(host, options)
    key = _only_key(route)
    client, sock = _connect_with_retries(route, key, deadline.within(options.timeout_s), options.timeout_s)
    try:
        transport = client.get_transport()
        if not isinstance(transport, StreamlocalTransport):
            raise TypeError("the connection's transport is not the one that was asked for")
        with deadline.closing(lambda: _shut(sock)):
            yield SshConnection(transport)
    finally:
        client.close()
        sock.close()


def _route(host: Host, options: SshOptions) -> _Route:
    connection = fabric.Connection(
        host.address,
        user=options.user or host.user,
        port=host.port,
        config=_fabric_config(host.ssh_config or options.ssh_config),
        forward_agent=False,
        connect_timeout=options.timeout_s,
    )
    configured: Mapping[str, object] = connection.ssh_config
    key_file = options.key_file or host.key_file
    identity_files = configured.get("identityfile", [])
    key_files = (key_file,) if key_file else tuple(identity_files) if isinstance(identity_files, list) else ()
    if options.known_hosts:
        known_hosts = options.known_hosts
    elif host.known_hosts:
        known_hosts = (host.known_hosts,)
    else:
        known_hosts = tuple(str(configured.get("userknownhostsfile", "")).split()) or USUAL_KNOWN_HOSTS
    return _Route(connection, str(configured.get("hostkeyalias", connection.host)), key_files, known_hosts)


@lru_cache(maxsize=16)
def _fabric_config(ssh_config: str | None) -> fabric.Config:
    """fabric's configuration from the SSH configuration files alone. Read once a run.

    fabric's own files and environment variables are not read: what a sweep does must not depend on them.
    """
    if ssh_config is not None:
        path = Path(ssh_config).expanduser()
        if not path.is_file():
            raise HostError(Phase.RESOLVE, "ssh-config", f"{path} is not there", "check --ssh-config")
        return fabric.Config(lazy=True, runtime_ssh_path=str(path))
    return fabric.Config(lazy=True, system_ssh_path="/etc/ssh/ssh_config", user_ssh_path="~/.ssh/config")


def _only_key(route: _Route) -> paramiko.PKey | None:
    """The configured key, the only one that will be offered. A server counts each key as a failed try."""
    missing: HostError | None = None
    for name in route.key_files:
        try:
            return load_private_key(name)
        except HostError as error:
            missing = missing or error
    if missing is not None:
        raise missing
    return None


def _connect_with_retries(
    route: _Route, key: paramiko.PKey | None, deadline: Deadline, timeout_s: float
) -> tuple[paramiko.SSHClient, socket.socket]:
    """Connect and authenticate. A server busy with other newcomers hangs up on some: those are tried again."""
    for attempt in range(1, CONNECT_ATTEMPTS + 1):
        try:
            return _connect_once(route, key, deadline, timeout_s)
        except HostError as error:
            pause = min(1.5, 0.1 * 2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
            if error.kind != "hung-up" or attempt == CONNECT_ATTEMPTS or pause >= deadline.remaining():
                raise
            time.sleep(pause)
    raise AssertionError("unreachable")


def _connect_once(
    route: _Route, key: paramiko.PKey | None, deadline: Deadline, timeout_s: float
) -> tuple[paramiko.SSHClient, socket.socket]:
    connection = route.connection
    known = read_known_hosts(route.known_hosts)
    policy = StrictPolicy(known, route.known_hosts, route.key_name, connection.port)
    sock = _dial(connection.host, connection.port, deadline, timeout_s)
    client = connection.client
    client.set_missing_host_key_policy(policy)
    connection.connect_timeout = None
    connection.connect_kwargs = {
        "sock": sock,
        "timeout": deadline.remaining(),
        "banner_timeout": deadline.remaining(),
        "auth_timeout": deadline.remaining(),
        "pkey": key,
        "allow_agent": key is None,
        "look_for_keys": key is None,
        "transport_factory": _transport_factory(known.key_types(route.key_name, connection.port)),
    }
    with deadline.closing(lambda: _shut(sock)):
        try:
            connection.open()
        except BaseException as error:
            client.close()
            sock.close()
            if isinstance(error, HostError) or not isinstance(error, Exception):
                raise
            raise _connect_error(error, route, policy, deadline, timeout_s) from error
    return client, sock


def _transport_factory(known_types: tuple[str, ...]) -> Callable[..., StreamlocalTransport]:
    def make(sock: socket.socket, **kwargs: object) -> StreamlocalTransport:
        transport = StreamlocalTransport(sock, **kwargs)  # type: ignore[arg-type]
        options = transport.get_security_options()
        # Ask for a key of a type that is known first, or a server with several looks like a changed one.
        wanted = {"rsa-sha2-512", "rsa-sha2-256"} if "ssh-rsa" in known_types else set()
        wanted.update(known_types)
        options.key_types = sorted(options.key_types, key=lambda name: name not in wanted)
        return transport

    return make


def _dial(name: str, port: int, deadline: Deadline, timeout_s: float) -> socket.socket:
    failure: OSError | None = None
    for family, address in _resolve(name, port, deadline, timeout_s):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(max(0.001, deadline.remaining()))
            sock.connect(address)
            # Without it a request of two small packets waits 40 ms for the first one's acknowledgement.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
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
        raise HostError(Phase.RESOLVE, "timeout", f"no answer for the name {name} within {timeout_s:g} s", "check DNS")
    if not isinstance(answers[0], list):
        raise HostError(
            Phase.RESOLVE,
            "unknown-name",
            f"{name}: {describe(answers[0])}",
            "check ansible_host in the inventory, HostName in the SSH configuration, and DNS",
        )
    return answers[0]


def _connect_error(
    error: Exception, route: _Route, policy: StrictPolicy, deadline: Deadline, timeout_s: float
) -> HostError:
    """Say in our words what paramiko met. Before the host key was verified the phase is connect, then auth."""
    connection = route.connection
    where = f"{connection.host} port {connection.port}"
    user = connection.user
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
            offered = ", ".join(route.key_files) or "the agent's and the usual keys"
            return HostError(
                Phase.AUTH,
                "denied",
                f"{user}@{where} refused {offered}: {describe(error)}",
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


def describe(error: BaseException) -> str:
    """What an exception says, in a few words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
