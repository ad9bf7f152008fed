"""What an operator sets for every SSH connection. Apart from the connection, so that naming it loads no SSH client."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Trust(StrEnum):
    """What is done with the key of a host that no known_hosts file has. A changed key is refused in any case."""

    STRICT = "strict"
    ACCEPT_NEW = "accept-new"


@dataclass(frozen=True, slots=True)
class SshOptions:
    """What holds for every host unless the inventory says otherwise.

    ``timeout_s`` bounds everything up to and including authentication. ``ssh_config`` and ``known_hosts`` None mean the
    usual files, ``host_key`` None what the SSH configuration says, or strict.
    """

    user: str | None = None
    key_file: str | None = None
    timeout_s: float = 10.0
    ssh_config: str | None = None
    known_hosts: tuple[str, ...] | None = None
    host_key: Trust | None = None
