"""The route to a box: the machines to log in to, one after the other, and the keys and checks for each.

fabric looks up the SSH configuration. As in ssh(1), flags and the inventory take precedence over it.
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

from fleetsweep.errors import FaultKind, HostError, Phase
from fleetsweep.model.host import Host
from fleetsweep.model.numerals import whole
from fleetsweep.ssh.cache import single_flight
from fleetsweep.ssh.host_keys import GLOBAL_KNOWN_HOSTS, USER_KNOWN_HOSTS
from fleetsweep.ssh.options import SshOptions, Trust
from fleetsweep.ssh.ssh_config import config_error, read_ssh_config

MAX_HOPS: Final = 8

Tokens = Callable[[], Mapping[str, str]]
"""Returns the values of a hop's tokens. Called only if a value has a token: most of thousands of hosts have none."""

_JUMP: Final = re.compile(
    r"(?:ssh://)?(?:([^\s/]+)@)?(\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[^\s:@\[\]/-][^\s:@\[\]/]*)(?::(\d{1,5}))?", re.ASCII
)

# Stricter than OpenSSH's own check of names that reach a shell.
_SHELL_SAFE: Final = re.compile(r"[\w.:@%+\[\]][\w.:@%+\[\]-]*", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class Hop:
    """One machine to log in to: the box itself, or a bastion on its route.

    ``connection`` is fabric's, not yet open. known_hosts has the host key under ``key_name`` and ``key_port``.
    ``key_files``, if any, are the only keys that are offered, in this order. ``certificate`` and ``agent`` are
    CertificateFile and IdentityAgent of ssh_config(5). ``jumps`` are the ``jump_spec`` of each bastion before it.
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
        """The command that prints this machine's host keys as known_hosts lines."""
        port, host = self.connection.port, self.connection.host
        scan = f"ssh-keyscan -p {port} {shlex.quote(str(host))}"
        if self.jumps:
            scan = f"{_ssh(self.jumps)} {scan}"
        return scan if self.key_name == host else f"{scan} | sed {shlex.quote(f's/^[^# ]*/{self.key_name}/')}"

    @property
    def ssh(self) -> str:
        """The ssh command line to this machine; a command to run there can be appended."""
        return _ssh((*self.jumps, self.jump_spec))

    @property
    def jump_spec(self) -> str:
        """``user@address:port``, the format of ProxyJump."""
        host = str(self.connection.host)
        return f"{self.connection.user}@{f'[{host}]' if ':' in host else host}:{self.connection.port}"

    @property
    def where(self) -> str:
        """The address and port, for messages."""
        return f"{self.connection.host} port {self.connection.port}"

    @property
    def public_words(self) -> tuple[str, ...]:
        """The values of a ProxyCommand's tokens. None is a secret, so messages may show them."""
        connection = self.connection
        named = (str(connection.host), str(connection.original_host), str(connection.port), str(connection.user))
        return (*named, f"{named[0]}:{named[2]}", f"{named[3]}@{named[0]}")

    @property
    def identity(self) -> tuple[str, ...]:
        """The cache key of a log-in to this machine: two hosts with the same one share it."""
        return (
            f"{self.connection.user}@{self.where}",
            *(f"{self.key_name} {self.key_port} {self.trust}", *self.key_files, "", *self.known_hosts),
            *("", self.certificate or "", self.agent or ""),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """The hops in order, the box last. ``proxy_command`` connects to the first one, if it is set."""

    hops: tuple[Hop, ...]
    proxy_command: str | None = None

    @property
    def bastions(self) -> tuple[Hop, ...]:
        """Every hop before the box."""
        return self.hops[:-1]

    @property
    def target(self) -> Hop:
        """The box itself."""
        return self.hops[-1]


def find_route(host: Host, options: SshOptions) -> Route:
    """Return the route to a host. Raises HostError, phase resolve. Contacts no host."""
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
        return Route(_with_jumps((*bastions, target)), first_command)
    return Route((target,), _proxy_command(_unless_none(command), target))


def _with_jumps(hops: tuple[Hop, ...]) -> tuple[Hop, ...]:
    """Return the hops with ``jumps`` set to the hops before each."""
    return tuple(
        replace(hop, jumps=tuple(before.jump_spec for before in hops[:number])) for number, hop in enumerate(hops)
    )


def _ssh(hops: tuple[str, ...]) -> str:
    through = f"-J {','.join(hops[:-1])} " if len(hops) > 1 else ""
    return f"ssh {through}ssh://{hops[-1]}"


def _unless_none(value: str | None) -> str | None:
    return None if value is None or value.lower() == "none" else value


def _proxies(configured: Mapping[str, object]) -> tuple[str | None, str | None]:
    """Return ProxyJump or ProxyCommand of the SSH configuration, whichever comes first; ``none`` counts as one."""
    for key, value in configured.items():
        if key == "proxyjump":
            return _unless_none(str(value)), None
        if key == "proxycommand":
            return None, _unless_none(str(value))
    return None, None


def _bastions(
    jumps: str | None, ssh_config: str | None, options: SshOptions, above: tuple[tuple[str, int], ...]
) -> tuple[tuple[Hop, ...], str | None]:
    """Return the hops of a ProxyJump list, and the ProxyCommand to the first.

    As with ssh -J, only the first hop's own ProxyJump or ProxyCommand is used.
    """
    if jumps is None:
        return (), None
    hops: list[Hop] = []
    command: str | None = None
    for number, jump in enumerate(jumps.split(",")):
        found = _JUMP.fullmatch(jump.strip())
        if found is None or not 0 < int(found[3] or 22) < 65536:
            raise HostError(
                Phase.RESOLVE, FaultKind.PROXY_JUMP, f"{jump!r} is not [user@]host[:port]", "check ProxyJump or -J"
            )
        user, name, port = found[1], found[2].strip("[]"), found[3]
        hop, configured = _hop(name, user, int(port) if port else None, ssh_config, options)
        here = (name, hop.connection.port)
        if here in above or len(above) + number > MAX_HOPS:
            raise HostError(
                Phase.RESOLVE,
                FaultKind.PROXY_JUMP,
                f"the route through {name} is circular or too long",
                "check ProxyJump: give the bastion a Host block with ProxyJump none, or exclude it from the pattern",
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
            # No timeout of fabric's own: the host's deadline shuts the socket.
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
    # "no" would accept a changed key, so it counts as strict.
    trust = options.host_key or (Trust.ACCEPT_NEW if checking == "accept-new" else Trust.STRICT)
    hop = Hop(
        connection,
        alias or str(connection.host),
        # known_hosts has an alias without a port.
        22 if alias else int(connection.port),
        (key_file,) if key_file else _key_files_of(configured, tokens),
        files,
        trust,
        _setting(configured, "CertificateFile", tokens),
        _setting(configured, "IdentityAgent", tokens),
    )
    return hop, configured


def _key_files_of(configured: Mapping[str, object], tokens: Tokens) -> tuple[str, ...]:
    files = configured.get("identityfile")
    if not isinstance(files, list):
        return ()
    return tuple(_replace_tokens(str(name), tokens, "IdentityFile") for name in files if str(name).lower() != "none")


def _setting(configured: Mapping[str, object], setting: str, tokens: Tokens) -> str | None:
    given = configured.get(setting.lower())
    return None if given is None else _replace_tokens(str(given), tokens, setting)


def _known_hosts_of(configured: Mapping[str, object], tokens: Tokens) -> tuple[str, ...]:
    """Return the user's and the system's known_hosts files. A new key is saved in the first one."""
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
        found += [_replace_tokens(name, tokens, setting) for name in names if name.lower() != "none"]
    return tuple(found)


def _tokens(connection: fabric.Connection, alias: str | None) -> Mapping[str, str]:
    """Return the values of the tokens of ssh_config(5), except %l, %C and %j."""
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


def _replace_tokens(value: str, tokens: Tokens, setting: str) -> str:
    """Return a value with its tokens replaced. Raises HostError for an unknown token, as ssh does."""
    if "%" not in value:
        return value
    known = tokens()

    def replace_token(found: re.Match[str]) -> str:
        if found[1] not in known:
            # A ProxyCommand may hold a password.
            shown = setting if setting == "ProxyCommand" else f"{setting} {value!r}"
            raise config_error(f"{shown}: token {found[0]} is not supported")
        return known[found[1]]

    return re.sub(r"%(.?)", replace_token, value)


def _proxy_command(command: str | None, hop: Hop) -> str | None:
    """Return a ProxyCommand with its tokens replaced. Raises HostError for a value with shell metacharacters."""
    if command is None:
        return None
    tokens = {key: value for key, value in _tokens(hop.connection, None).items() if key in "%hnpr"}
    for letter, value in tokens.items():
        if f"%{letter}" in command and letter != "%" and _SHELL_SAFE.fullmatch(value) is None:
            raise HostError(
                Phase.RESOLVE,
                FaultKind.PROXY_COMMAND,
                f"{value!r} has shell metacharacters, so it can't replace %{letter} in a ProxyCommand",
                "check the host's address and user in the inventory",
            )
    return _replace_tokens(command, lambda: tokens, "ProxyCommand")


class _Connection(fabric.Connection):  # type: ignore[misc]  # fabric is untyped
    """A fabric connection whose attributes are its own: fabric's go to the configuration that all connections share."""

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


class _Config(fabric.Config):  # type: ignore[misc]  # fabric is untyped
    """A fabric configuration with attributes that invoke otherwise finds out by two exceptions at each access."""

    _keypath = ()

    @property
    def _root(self) -> _Config:
        return self


@single_flight
def _fabric_config(ssh_config: str | None, user: str | None) -> fabric.Config:
    """Return fabric's configuration from the SSH configuration files alone, made once a run and never changed.

    fabric's own files and environment variables are not read: a sweep must not depend on them.
    """
    return _Config(lazy=True, ssh_config=read_ssh_config(ssh_config, user))
