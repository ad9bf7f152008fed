"""The operator's options for every SSH connection, in a module that loads no SSH client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleetsweep.model.host_key import UnknownKey


class Trust(StrEnum):
    """How to treat the key of a host that is not in known_hosts. A changed key is always refused."""

    STRICT = "strict"
    ACCEPT_NEW = "accept-new"


@dataclass(frozen=True, slots=True)
class SshOptions:
    """Options for every host. All but ``ssh_config`` override the inventory.

    ``timeout_s`` limits everything up to and including authentication, in seconds. None means the default files for
    ``ssh_config`` and ``known_hosts``, and for ``host_key`` the SSH configuration's setting, or strict.
    ``on_unknown_key`` is called with each key that is refused because known_hosts has none, from the host's thread.
    """

    user: str | None = None
    key_file: str | None = None
    timeout_s: float = 10.0
    ssh_config: str | None = None
    known_hosts: tuple[str, ...] | None = None
    host_key: Trust | None = None
    on_unknown_key: Callable[[UnknownKey], None] | None = None
