"""The way to a box: which machines are logged in to, one after the other, and with what.

fabric looks the SSH configuration up; what the inventory and the flags say goes before it, as ssh(1) has it.
"""

from __future__ import annotations

import getpass
import os
import re
import shlex
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import fabric
import paramiko

from fleetsweep.errors import HostError, Phase
from fleetsweep.model.host import Host
from fleetsweep.model.numerals import whole
from fleetsweep.ssh.cache import single_flight
from fleetsweep.ssh.host_keys import GLOBAL_KNOWN_HOSTS, USER_KNOWN_HOSTS
from fleetsweep.ssh.options import SshOptions, Trust
from fleetsweep.ssh.ssh_config import config_error, read_ssh_config

MOST_HOPS: Final = 8

Tokens = Callable[[], Mapping[str, str]]
"""Tells what the tokens of a hop stand for, once there is one: most of thousands of hosts have none."""

_JUMP: Final = re.compile(
    r"(?:ssh://)?(?:([^\s/]+)@)?(\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[^\s:@\[\]/-][^\s:@\[\]/]*)(?::(\d{1,5}))?", re.ASCII
)

# What OpenSSH refuses in a name that a shell will see, and more.
_FOR_A_SHELL: Final = re.compile(r"[\w.:@%+\[\]][\w.:@%+\[\]-]*", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class Hop:
    """One machine to log in to: the box itself, or a bastion on the way.

    ``connection`` is fabric's, not open yet. ``key_name`` and ``key_port`` are what known_hosts files its key under.
    ``key_files`` are the only keys that are offered, in that order, if there are any. ``certificate`` and ``agent`` are
    ssh_config's CertificateFile and IdentityAgent. ``jumps`` are the bastions before it, as ``spelled``.
    """

    connection: fabric.Connection
    key_name: str
    key_port: int
    key_files: tuple[str, ...]
    known_hosts: tuple[str, ...]
    trust: Trust
    certificate: str | None = None
    agent: str | None = None
    jumps: tuple[str, ...] = ()

    @property
    def scan(self) -> str:
        """The command that asks this machine for its host keys, and prints them as they are to be filed."""
        port, host = self.connection.port, self.connection.host
        scan = f"ssh-keyscan -p {port} {shlex.quote(str(host))}"
        if self.jumps:
            scan = f"{_ssh(self.jumps)} {scan}"
        return scan if self.key_name == host else f"{scan} | sed {shlex.quote(f's/^[^# ]*/{self.key_name}/')}"

    @property
    def ssh(self) -> str:
        """How an operator runs a command there: what follows it is the command."""
        return _ssh((*self.jumps, self.spelled))

    @property
    def spelled(self) -> str:
        """``user@address:port``, as ProxyJump has it."""
        host = str(self.connection.host)
        return f"{self.connection.user}@{f'[{host}]' if ':' in host else host}:{self.connection.port}"

    @property
    def where(self) -> str:
        """Its address, for messages."""
        return f"{self.connection.host} port {self.connection.port}"

    @property
    def words(self) -> tuple[str, ...]:
        """What the tokens of a ProxyCommand stand for: no secret is among them."""
        connection = self.connection
        named = (str(connection.host), str(connection.original_host), str(connection.port), str(connection.user))
        return (*named, f"{named[0]}:{named[2]}", f"{named[3]}@{named[0]}")

    @property
    def identity(self) -> tuple[str, ...]:
        """What must be the same where two hosts are to share a log-in on this machine."""
        return (
            f"{self.connection.user}@{self.where}",
            *(f"{self.key_name} {self.key_port} {self.trust}", *self.key_files, "", *self.known_hosts),
            *("", self.certificate or "", self.agent or ""),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """The hops in the order they are passed, the box last; ``proxy_command`` is how the first one is reached."""

    hops: tuple[Hop, ...]
    proxy_command: str | None = None

    @property
    def bastions(self) -> tuple[Hop, ...]:
        """Every hop but the box itself."""
        return self.hops[:-1]

    @property
    def target(self) -> Hop:
        """The box itself."""
        return self.hops[-1]


def find_route(host: Host, options: SshOptions) -> Route:
    """The way to a host. Raises HostError, phase resolve, before anything is contacted."""
    ssh_config = host.ssh_config or options.ssh_config
    target, configured = _hop(
        host.address,
        options.user or host.user,
        host.port,
        ssh_config,
        options,
        key_file=options.key_file or host.key_file,
        known_hosts=host.known_hosts,
    )
    jumps, command = host.proxy_jump, host.proxy_command
    if jumps is None and command is None:
        jumps, command = _proxies(configured)
    here = (target.connection.original_host, target.connection.port)
    bastions, first_command = _bastions(_unless_none(jumps), ssh_config, options, (here,))
    if bastions:
        return Route(_in_line((*bastions, target)), first_command)
    return Route((target,), _proxy_command(_unless_none(command), target))


def _in_line(hops: tuple[Hop, ...]) -> tuple[Hop, ...]:
    """The hops, each knowing those before it."""
    return tuple(
        replace(hop, jumps=tuple(before.spelled for before in hops[:number])) for number, hop in enumerate(hops)
    )


def _ssh(hops: tuple[str, ...]) -> str:
    through = f"-J {','.join(hops[:-1])} " if len(hops) > 1 else ""
    return f"ssh {through}ssh://{hops[-1]}"


def _unless_none(value: str | None) -> str | None:
    return None if value is None or value.lower() == "none" else value


def _proxies(configured: Mapping[str, object]) -> tuple[str | None, str | None]:
    """ProxyJump and ProxyCommand of the SSH configuration: whichever stands first there, and ``none`` is one, too."""
    for key, value in configured.items():
        if key == "proxyjump":
            return _unless_none(str(value)), None
        if key == "proxycommand":
            return None, _unless_none(str(value))
    return None, None


def _bastions(
    jumps: str | None, ssh_config: str | None, options: SshOptions, above: tuple[tuple[str, int], ...]
) -> tuple[tuple[Hop, ...], str | None]:
    """The hops of a ProxyJump list. Only the first may have a way of its own, as with ssh -J."""
    if jumps is None:
        return (), None
    hops: list[Hop] = []
    command: str | None = None
    for number, jump in enumerate(jumps.split(",")):
        found = _JUMP.fullmatch(jump.strip())
        if found is None or not 0 < int(found[3] or 22) < 65536:
            raise HostError(Phase.RESOLVE, "proxy-jump", f"{jump!r} is not [user@]host[:port]", "check ProxyJump or -J")
        user, name, port = found[1], found[2].strip("[]"), found[3]
        hop, configured = _hop(name, user, int(port) if port else None, ssh_config, options)
        here = (name, hop.connection.port)
        if here in above or len(above) + number > MOST_HOPS:
            raise HostError(
                Phase.RESOLVE,
                "proxy-jump",
                f"the way through {name} goes in a circle or is too long",
                "check ProxyJump: a Host block for a bastion needs ProxyJump none, or a pattern that leaves it out",
            )
        if number == 0:
            own_jumps, own_command = _proxies(configured)
            first, command = _bastions(own_jumps, ssh_config, options, (*above, here))
            hops.extend(first)
            if not first:
                command = _proxy_command(own_command, hop)
        hops.append(hop)
    return tuple(hops), command


def _hop(
    address: str,
    user: str | None,
    port: int | None,
    ssh_config: str | None,
    options: SshOptions,
    *,
    key_file: str | None = None,
    known_hosts: str | None = None,
) -> tuple[Hop, Mapping[str, object]]:
    try:
        connection = _Connection(
            address,
            user=user,
            port=port,
            config=_fabric_config(ssh_config, user),
            gateway=False,
            forward_agent=False,
            # None of fabric's own: at the host's deadline the socket is shut.
            connect_timeout=0,
        )
    except (paramiko.SSHException, KeyError, ValueError, OSError) as error:
        raise config_error(f"{address}: {error}") from error
    configured: Mapping[str, object] = connection.ssh_config
    if port is None and not 0 < (whole(str(configured.get("port", 22))) or 0) < 65536:
        raise config_error(f"{address}: Port {configured['port']!r} is not a number from 1 to 65535")
    alias = _unless_none(str(configured["hostkeyalias"])) if "hostkeyalias" in configured else None
    tokens = partial(_tokens, connection, alias)
    if options.known_hosts:
        files = options.known_hosts
    elif known_hosts:
        files = (known_hosts,)
    else:
        files = _known_hosts_of(configured, tokens)
    checking = str(configured.get("stricthostkeychecking", "")).lower()
    # "no" would have a changed key accepted: it is not obeyed here.
    trust = options.host_key or (Trust.ACCEPT_NEW if checking == "accept-new" else Trust.STRICT)
    hop = Hop(
        connection,
        alias or str(connection.host),
        # An alias stands in known_hosts as it is, whatever the port.
        22 if alias else int(connection.port),
        (key_file,) if key_file else _key_files_of(configured, tokens),
        files,
        trust,
        _one_of(configured, "CertificateFile", tokens),
        _one_of(configured, "IdentityAgent", tokens),
    )
    return hop, configured


def _key_files_of(configured: Mapping[str, object], tokens: Tokens) -> tuple[str, ...]:
    files = configured.get("identityfile")
    if not isinstance(files, list):
        return ()
    return tuple(_filled(str(name), tokens, "IdentityFile") for name in files if str(name).lower() != "none")


def _one_of(configured: Mapping[str, object], setting: str, tokens: Tokens) -> str | None:
    given = configured.get(setting.lower())
    return None if given is None else _filled(str(given), tokens, setting)


def _known_hosts_of(configured: Mapping[str, object], tokens: Tokens) -> tuple[str, ...]:
    """The user's files and the system's. The first one is where a new key would be written."""
    found: list[str] = []
    for setting, usual in (
        ("UserKnownHostsFile", USER_KNOWN_HOSTS),
        ("GlobalKnownHostsFile", GLOBAL_KNOWN_HOSTS),
    ):
        given = configured.get(setting.lower())
        try:
            names = usual if given is None else shlex.split(str(given))
        except ValueError as error:
            raise config_error(f"{setting}: {error}") from error
        found += [_filled(name, tokens, setting) for name in names if name.lower() != "none"]
    return tuple(found)


def _tokens(connection: fabric.Connection, alias: str | None) -> Mapping[str, str]:
    """What the tokens of ssh_config(5) stand for, but %l, %C and %j."""
    return {
        "%": "%",
        "h": str(connection.host),
        "n": str(connection.original_host),
        "p": str(connection.port),
        "r": str(connection.user),
        "k": alias or str(connection.original_host),
        "u": _local_user(),
        "d": str(Path("~").expanduser()),
        "i": str(os.getuid()),
        "L": socket.gethostname().partition(".")[0],
    }


@lru_cache(maxsize=1)
def _local_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _filled(value: str, tokens: Tokens, setting: str) -> str:
    """A value with its tokens filled in. One that is unknown is an error, as with ssh."""
    if "%" not in value:
        return value
    known = tokens()

    def fill(found: re.Match[str]) -> str:
        if found[1] not in known:
            # A ProxyCommand may hold a password.
            shown = setting if setting == "ProxyCommand" else f"{setting} {value!r}"
            raise config_error(f"{shown}: {found[0]} is not understood here")
        return known[found[1]]

    return re.sub(r"%(.?)", fill, value)


def _proxy_command(command: str | None, hop: Hop) -> str | None:
    """A ProxyCommand with its tokens filled in. Raises HostError for a name that a shell could take for more."""
    if command is None:
        return None
    tokens = {key: value for key, value in _tokens(hop.connection, None).items() if key in "%hnpr"}
    for letter, value in tokens.items():
        if f"%{letter}" in command and letter != "%" and _FOR_A_SHELL.fullmatch(value) is None:
            raise HostError(
                Phase.RESOLVE,
                "proxy-command",
                f"{value!r} has characters that a shell would read: it can't stand for %{letter} in a ProxyCommand",
                "check the host's address and user in the inventory",
            )
    return _filled(command, lambda: tokens, "ProxyCommand")


class _Connection(fabric.Connection):  # type: ignore[misc]  # fabric tells no types
    """fabric's. What is set on that one goes into the configuration that all connections of a run share."""

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


class _Config(fabric.Config):  # type: ignore[misc]  # fabric tells no types
    """fabric's, that says of itself what invoke else learns from two costly errors at each table that is read."""

    _keypath = ()

    @property
    def _root(self) -> _Config:
        return self


@single_flight
def _fabric_config(ssh_config: str | None, user: str | None) -> fabric.Config:
    """fabric's configuration from the SSH configuration files alone. Made once a run; nothing writes to it.

    fabric's own files and environment variables are not read: what a sweep does must not depend on them.
    """
    return _Config(lazy=True, ssh_config=read_ssh_config(ssh_config, user))
