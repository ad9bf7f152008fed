"""A runner box as the inventory describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fleetsweep.model.redact import digest_of
from fleetsweep.model.ssh_settings import SshOption


class Connection(StrEnum):
    """How a host is reached, named as Ansible names it."""

    SSH = "ssh"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Host:
    """One runner box as the inventory describes it.

    Fields that are None are left to the SSH configuration. ``proxy_jump`` is OpenSSH's list
    (``user@bastion:22,inner``); ``proxy_command`` its command template. ``known_hosts`` and ``ssh_config``
    are files that replace the usual ones for this host. ``ssh_options`` are other options of its ssh arguments.
    ``engine`` is the engine's address as seen from the box; ``become`` means that it takes sudo to use it. ``zone``
    names the network that reaches the box. ``variables`` are the merged inventory variables, ``origins`` the file (and
    line, if there is one) that each of them comes from.
    """

    name: str
    address: str
    port: int | None = None
    user: str | None = None
    key_file: str | None = None
    connection: Connection = Connection.SSH
    proxy_jump: str | None = None
    proxy_command: str | None = None
    known_hosts: str | None = None
    ssh_config: str | None = None
    ssh_options: tuple[SshOption, ...] = ()
    become: bool = False
    engine: str = "unix:///var/run/docker.sock"
    groups: tuple[str, ...] = ()
    zone: str | None = None
    variables: Mapping[str, object] = field(default_factory=dict, hash=False)
    origins: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def endpoint(self) -> str:
        """A text that identifies the place of this host's engine. It is stored and compared across runs."""
        if self.connection is Connection.LOCAL:
            return f"local {self.engine}"
        # The text is stored and printed, and a command may contain a password.
        via = self.proxy_jump or (self.proxy_command and digest_of(self.proxy_command))
        return f"ssh {self.address}:{self.port or 22} {self.engine}" + (f" through {via}" if via else "")
