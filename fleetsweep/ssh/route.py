"""The way to a box: which machines are logged in to, one after the other, and with what.

fabric reads the SSH configuration; what the inventory and the flags say goes before it, as ssh(1) has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import fabric

from fleetsweep.errors import HostError, Phase
from fleetsweep.model import Host
from fleetsweep.ssh.host_keys import USUAL_KNOWN_HOSTS
from fleetsweep.ssh.options import SshOptions, Trust

MOST_HOPS: Final = 8

_JUMP: Final = re.compile(r"(?:([^@\s]+)@)?(\[[0-9A-Fa-f:.]+\]|[^\s:@\[\]-][^\s:@\[\]]*)(?::(\d{1,5}))?", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class Hop:
    """One machine to log in to: the box itself, or a bastion on the way.

    ``connection`` is fabric's, not open yet. ``key_name`` is the name under which known_hosts files its key.
    ``key_files`` are the only keys that are offered, if there are any.
    """

    connection: fabric.Connection
    key_name: str
    key_files: tuple[str, ...]
    known_hosts: tuple[str, ...]
    trust: Trust

    @property
    def where(self) -> str:
        """Its address, for messages."""
        return f"{self.connection.host} port {self.connection.port}"


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
    bastions, first_command = _bastions(jumps, ssh_config, options, ())
    return Route((*bastions, target), first_command if bastions else _expanded(command, target))


def _proxies(configured: Mapping[str, object]) -> tuple[str | None, str | None]:
    """ProxyJump and ProxyCommand of the SSH configuration; the word none means neither."""
    jumps, command = (configured.get(key) for key in ("proxyjump", "proxycommand"))
    return (
        str(jumps) if jumps and str(jumps).lower() != "none" else None,
        str(command) if command and str(command).lower() != "none" else None,
    )


def _bastions(
    jumps: str | None, ssh_config: str | None, options: SshOptions, above: tuple[str, ...]
) -> tuple[tuple[Hop, ...], str | None]:
    """The hops of a ProxyJump list. Only the first may have a way of its own, as with ssh -J."""
    if jumps is None or jumps.lower() == "none":
        return (), None
    hops: list[Hop] = []
    command: str | None = None
    for number, jump in enumerate(jumps.split(",")):
        found = _JUMP.fullmatch(jump.strip())
        if found is None or not 0 < int(found[3] or 22) < 65536:
            raise HostError(Phase.RESOLVE, "proxy-jump", f"{jump!r} is not [user@]host[:port]", "check ProxyJump or -J")
        user, name, port = found[1], found[2].strip("[]"), found[3]
        if name in above or len(above) + number >= MOST_HOPS:
            raise HostError(
                Phase.RESOLVE,
                "proxy-jump",
                f"the way through {name} goes in a circle or is too long",
                "check ProxyJump",
            )
        hop, configured = _hop(name, user, int(port) if port else None, ssh_config, options)
        if number == 0:
            own_jumps, own_command = _proxies(configured)
            first, command = _bastions(own_jumps, ssh_config, options, (*above, name))
            hops.extend(first)
            if not first:
                command = _expanded(own_command, hop)
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
    connection = fabric.Connection(
        address,
        user=user,
        port=port,
        config=_fabric_config(ssh_config),
        gateway=False,
        forward_agent=False,
    )
    configured: Mapping[str, object] = connection.ssh_config
    identity_files = configured.get("identityfile", [])
    key_files = (key_file,) if key_file else tuple(identity_files) if isinstance(identity_files, list) else ()
    if options.known_hosts:
        files = options.known_hosts
    elif known_hosts:
        files = (known_hosts,)
    else:
        files = tuple(str(configured.get("userknownhostsfile", "")).split()) or USUAL_KNOWN_HOSTS
    checking = str(configured.get("stricthostkeychecking", "")).lower()
    # "no" would have a changed key accepted: it is not obeyed here.
    trust = options.host_key or (Trust.ACCEPT_NEW if checking == "accept-new" else Trust.STRICT)
    return Hop(connection, str(configured.get("hostkeyalias", connection.host)), key_files, files, trust), configured


def _expanded(command: str | None, hop: Hop) -> str | None:
    """A ProxyCommand with its tokens filled in."""
    if command is None:
        return None
    tokens = {"%%": "%", "%h": hop.connection.host, "%p": str(hop.connection.port), "%r": hop.connection.user}
    tokens["%n"] = hop.connection.original_host
    return re.sub(r"%[%hprn]", lambda found: tokens[found[0]], command)


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
