"""The route to a box: the machines to log in to, one after the other, and the keys and checks for each.

fabric looks up the SSH configuration. As in ssh(1), flags and the inventory take precedence over it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import fabric
import paramiko

from fleetsweep.errors import FaultKind, HostError, Phase
from fleetsweep.model.host import Host
from fleetsweep.ssh.cache import single_flight
from fleetsweep.ssh.config_lookup import HostSettings, look_up
from fleetsweep.ssh.config_tokens import expand_all, expand_tokens
from fleetsweep.ssh.host_keys import GLOBAL_KNOWN_HOSTS, USER_KNOWN_HOSTS
from fleetsweep.ssh.identities import DEFAULT_KEYS
from fleetsweep.ssh.options import SshOptions, Trust
from fleetsweep.ssh.regular_file import expanded
from fleetsweep.ssh.ssh_config import Line, config_error, port_of, read_options, read_ssh_config

if TYPE_CHECKING:
    from fleetsweep.model.host_key import UnknownKey

MAX_HOPS: Final = 8

_JUMP: Final = re.compile(
    r"(?:ssh://)?(?:([^\s/]+)@)?(\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[^\s:@\[\]/-][^\s:@\[\]/]*)(?::(\w[\w-]*))?/?",
    re.ASCII,
)

# Stricter than OpenSSH's own check of names that reach a shell.
_SHELL_SAFE: Final = re.compile(r"[\w.:@%+\[\]][\w.:@%+\[\]-]*", re.ASCII)
_NAME: Final = re.compile(r"[^\s,\[\]/-][^\s,\[\]/]*")

MIN_RSA_BITS: Final = 1024
"""Bits of the shortest RSA key that is accepted: OpenSSH's default of RequiredRSASize."""


@dataclass(frozen=True, slots=True, eq=False)
class Hop:
    """One machine to log in to: the box itself, or a bastion on its route.

    ``connection`` is fabric's, not yet open. known_hosts has the host key under ``key_name`` and ``key_port``.
    ``key_files``, if any, are the only keys that are offered, in this order. ``certificate`` and ``agent`` are
    CertificateFile and IdentityAgent of ssh_config(5). ``before`` are the bastions before it, ``proxied`` is whether a
    ProxyCommand is. ``ssh_config`` and ``given_known_hosts`` are the files that an option or the inventory names.
    ``save_to`` is the file for a new host key, ``not_obeyed`` a setting that would turn its check off.
    ``revoked_keys``, ``host_key_algorithms``, ``pubkey_algorithms``, ``ca_algorithms`` and ``min_rsa_bits`` are
    RevokedHostKeys, HostKeyAlgorithms, PubkeyAcceptedAlgorithms, CASignatureAlgorithms and RequiredRSASize.
    ``family`` is the address family, 0 for any. ``offers_defaults`` is whether the default key files are offered where
    ``key_files`` is empty. ``host`` is the box's name in the inventory, empty for a bastion.
    """

    connection: fabric.Connection
    key_name: str
    key_port: int
    key_files: tuple[str, ...]
    known_hosts: tuple[str, ...]
    trust: Trust
    certificate: str | None = None
    agent: str | None = None
    before: tuple[Hop, ...] = ()
    proxied: bool = False
    ssh_config: str | None = None
    given_known_hosts: tuple[str, ...] = ()
    save_to: str | None = None
    not_obeyed: str = ""
    revoked_keys: str | None = None
    host_key_algorithms: str | None = None
    pubkey_algorithms: str | None = None
    ca_algorithms: str | None = None
    min_rsa_bits: int = MIN_RSA_BITS
    family: int = 0
    offers_defaults: bool = True
    host: str = ""
    on_unknown_key: Callable[[UnknownKey], None] | None = None

    @property
    def spec(self) -> str:
        """``user@name:port`` with the name of the SSH configuration, for ssh's -J."""
        return self._spec(str(self.connection.original_host))

    @property
    def jump_spec(self) -> str:
        """``user@address:port``, the format of ProxyJump."""
        return self._spec(str(self.connection.host))

    def _spec(self, host: str) -> str:
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
            *("", self.certificate or "", self.agent or "", self.save_to or "", self.revoked_keys or ""),
            *(
                self.host_key_algorithms or "",
                self.pubkey_algorithms or "",
                self.ca_algorithms or "",
                str(self.min_rsa_bits),
            ),
            *(str(self.family), str(self.offers_defaults)),
        )


@dataclass(frozen=True, slots=True)
class _Jump:
    """One hop of a ProxyJump list, with its tokens replaced."""

    user: str | None
    name: str
    port: int | None


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
    target, settings = _hop(host.address, options.user or host.user, host.port, ssh_config, options, host)
    here = (settings.original, settings.port)
    jumps = _jumps(settings)
    bastions, first_command = _bastions(jumps, ssh_config, options, (here,))
    if bastions:
        return _route((*bastions, target), first_command)
    return _route((target,), _proxy_command(settings.proxy_command, settings))


def _route(hops: tuple[Hop, ...], proxy_command: str | None) -> Route:
    """Return the route, each hop with the hops before it."""
    known: tuple[Hop, ...] = ()
    for hop in hops:
        known = (*known, replace(hop, before=known, proxied=proxy_command is not None and not known))
    return Route(known, proxy_command)


def _jumps(settings: HostSettings) -> tuple[_Jump, ...]:
    """Return the hops of a ProxyJump list. Raises HostError."""
    text = settings.proxy_jump
    if text is None:
        return ()
    return tuple(_jump(jump, settings) for jump in text.split(","))


def _jump(jump: str, settings: HostSettings) -> _Jump:
    parts = _JUMP.fullmatch(jump.strip())
    if parts is None:
        raise _invalid_jump(jump, "")
    try:
        port = port_of(parts[3]) if parts[3] else None
        user = expand_tokens(parts[1], lambda: _proxy_tokens(settings)) if parts[1] else None
        # A % in brackets begins an IPv6 zone.
        bracketed = parts[2].startswith("[")
        name = parts[2].strip("[]") if bracketed else expand_tokens(parts[2], lambda: _proxy_tokens(settings))
    except ValueError as error:
        raise _invalid_jump(jump, f": {error}") from None
    for value in (user, name):
        if value is not None and _NAME.fullmatch(value) is None:
            raise _invalid_jump(jump, f": {value!r} is not a user or a host")
    return _Jump(user, name, port)


def _invalid_jump(jump: str, reason: str) -> HostError:
    return HostError(
        Phase.RESOLVE,
        FaultKind.PROXY_JUMP,
        f"{jump!r} is not [user@]host[:port]{reason}",
        "check ProxyJump or -J, and the host's address and user",
    )


def _bastions(
    jumps: tuple[_Jump, ...], ssh_config: str | None, options: SshOptions, above: tuple[tuple[str, int], ...]
) -> tuple[tuple[Hop, ...], str | None]:
    """Return the hops of a ProxyJump list, and the ProxyCommand to the first.

    As with ssh -J, only the first hop's own ProxyJump or ProxyCommand is used.
    """
    hops: list[Hop] = []
    command: str | None = None
    for number, jump in enumerate(jumps):
        hop, settings = _hop(jump.name, jump.user, jump.port, ssh_config, options)
        here = (jump.name, settings.port)
        if here in above or len(above) + number > MAX_HOPS:
            raise HostError(
                Phase.RESOLVE,
                FaultKind.PROXY_JUMP,
                f"the route through {jump.name} is circular or too long",
                "check ProxyJump: give the bastion a Host block with ProxyJump none, or exclude it from the pattern",
            )
        if number == 0:
            first, command = _bastions(_jumps(settings), ssh_config, options, (*above, here))
            hops.extend(first)
            if not first:
                command = _proxy_command(settings.proxy_command, settings)
        hops.append(hop)
    return tuple(hops), command


def _hop(
    address: str,
    user: str | None,
    port: int | None,
    ssh_config: str | None,
    options: SshOptions,
    host: Host | None = None,
) -> tuple[Hop, HostSettings]:
    """Return one hop and its settings. ``host`` is the inventory's, for the box itself."""
    settings = look_up(address, _first_lines(user, port, host), read_ssh_config(ssh_config))
    connection = _connection(settings)
    save_to: str | None
    if options.known_hosts:
        files, save_to = options.known_hosts, os.path.abspath(expanded(options.known_hosts[0]))  # noqa: PTH100
    else:
        files, save_to = _known_hosts_of(settings)
    # "no" would accept a changed key, so it counts as strict.
    checking = (settings.text("stricthostkeychecking") or "").lower()
    alias = settings.alias
    key_file = (options.key_file or host.key_file) if host is not None else None
    not_obeyed = settings.values.get("stricthostkeychecking") if checking in {"no", "off", "false"} else None
    revoked = _files(settings, "RevokedHostKeys")
    hop = Hop(
        connection,
        alias or settings.hostname,
        # known_hosts has an alias without a port.
        22 if alias else settings.port,
        (key_file,) if key_file else _key_files_of(settings),
        files,
        options.host_key or (Trust.ACCEPT_NEW if checking == "accept-new" else Trust.STRICT),
        _first_file(settings, "CertificateFile"),
        _first_file(settings, "IdentityAgent"),
        save_to=save_to,
        not_obeyed="" if not_obeyed is None else f"StrictHostKeyChecking {checking} ({not_obeyed.where})",
        revoked_keys=revoked[0] if revoked else None,
        host_key_algorithms=settings.text("hostkeyalgorithms"),
        pubkey_algorithms=settings.text("pubkeyacceptedalgorithms"),
        ca_algorithms=settings.text("casignaturealgorithms"),
        min_rsa_bits=int(settings.text("requiredrsasize") or MIN_RSA_BITS),
        family=settings.family,
        offers_defaults=not settings.lists.get("identityfile"),
        host="" if host is None else host.name,
        on_unknown_key=options.on_unknown_key,
        ssh_config=ssh_config,
        given_known_hosts=options.known_hosts or ((host.known_hosts,) if host and host.known_hosts else ()),
    )
    return hop, settings


def _first_lines(user: str | None, port: int | None, host: Host | None) -> list[Line]:
    """Return what beats the files: the user and the port, and for the box itself the inventory's ssh arguments."""
    given = [("user", user), ("port", None if port is None else str(port))]
    if host is not None:
        given += [("proxyjump", host.proxy_jump), ("proxycommand", host.proxy_command)]
        given += [("userknownhostsfile", host.known_hosts)]
    lines = [Line(key, (value,), "the inventory") for key, value in given if value is not None]
    return [*lines, *read_options(host.ssh_options)] if host is not None and host.ssh_options else lines


def _connection(settings: HostSettings) -> fabric.Connection:
    try:
        connection = _Connection(
            settings.original,
            user=settings.user,
            port=settings.port,
            config=_fabric_config(),
            gateway=False,
            forward_agent=False,
            # No timeout of fabric's own: the host's deadline shuts the socket.
            connect_timeout=0,
        )
    except (paramiko.SSHException, KeyError, ValueError, OSError) as error:
        raise config_error(f"{settings.original}: {error}") from error
    connection.host = settings.hostname
    return connection


def _key_files_of(settings: HostSettings) -> tuple[str, ...]:
    """Return the configured keys; with ``IdentitiesOnly yes`` and none configured, the default files that exist."""
    lines = settings.lists.get("identityfile", ())
    if not lines and settings.flag("identitiesonly"):
        return tuple(name for name in DEFAULT_KEYS if expanded(name).exists()) or DEFAULT_KEYS
    return tuple(
        _expanded(settings, line, "IdentityFile", line.value) for line in lines if line.value.lower() != "none"
    )


def _files(settings: HostSettings, setting: str) -> tuple[str, ...]:
    """Return the files of a setting with tokens and variables replaced; none for ``none``."""
    line = settings.values.get(setting.lower())
    if line is None:
        return ()
    if line.value.lower() == "none":
        return ()
    return tuple(_expanded(settings, line, setting, word) for word in line.words)


def _first_file(settings: HostSettings, setting: str) -> str | None:
    key = setting.lower()
    kept = settings.lists.get(key)
    line = kept[0] if kept else settings.values.get(key)
    if line is None or (key == "certificatefile" and line.value.lower() == "none"):
        return None
    return _expanded(settings, line, setting, line.value)


def _known_hosts_of(settings: HostSettings) -> tuple[tuple[str, ...], str | None]:
    """Return the user's and the system's known_hosts files, and the one of the user's where a new key is saved."""
    users = _files(settings, "UserKnownHostsFile") if "userknownhostsfile" in settings.values else USER_KNOWN_HOSTS
    system = (
        _files(settings, "GlobalKnownHostsFile") if "globalknownhostsfile" in settings.values else GLOBAL_KNOWN_HOSTS
    )
    return (*users, *system), users[0] if users else None


def _expanded(settings: HostSettings, line: Line, setting: str, word: str) -> str:
    try:
        return expand_all(word, settings.tokens)
    except ValueError as error:
        raise config_error(f"{line.where}: {setting} {word!r}: {error}") from None


def _proxy_command(command: str | None, settings: HostSettings) -> str | None:
    """Return a ProxyCommand with its tokens replaced. Raises HostError for a value with shell metacharacters."""
    if command is None:
        return None
    tokens = _proxy_tokens(settings)
    for letter, value in tokens.items():
        if f"%{letter}" in command and letter != "%" and _SHELL_SAFE.fullmatch(value) is None:
            raise HostError(
                Phase.RESOLVE,
                FaultKind.PROXY_COMMAND,
                f"{value!r} has shell metacharacters, so it can't replace %{letter} in a ProxyCommand",
                "check the host's address and user in the inventory",
            )
    try:
        return expand_tokens(command, lambda: tokens)
    except ValueError as error:
        # The command may hold a password.
        raise config_error(f"ProxyCommand: {error}") from None


def _proxy_tokens(settings: HostSettings) -> Mapping[str, str]:
    return {key: value for key, value in settings.tokens().items() if key in "%hnpr"}


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


class _NoSshConfig:
    """In place of paramiko's SSH configuration: the settings are found here."""

    def lookup(self, name: str) -> Mapping[str, object]:
        """Return nothing."""
        return {}


@single_flight
def _fabric_config() -> fabric.Config:
    """Return fabric's configuration, made once a run and never changed.

    fabric's own files and environment variables are not read: a sweep must not depend on them.
    """
    return _Config(lazy=True, ssh_config=_NoSshConfig())
