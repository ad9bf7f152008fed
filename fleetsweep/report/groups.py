"""Equal rows and equal faults of many hosts as one, with the hosts' names folded: ``runner-[01-40]``. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final, TypeVar

from fleetsweep.inventory.folding import LIMIT, fold
from fleetsweep.model.host import Host
from fleetsweep.report.escape import printable

T = TypeVar("T")

ROWS_FOLDED_ABOVE: Final = 50
"""Hosts. A table of more has one row for those that are equal."""

NAME_AT_LEAST: Final = 15
"""Characters that folded names always get."""

_FINGERPRINT: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_LINE: Final = re.compile(r":[0-9]+\)")
_ENDPOINT: Final = re.compile(r"(\S+):([0-9]{1,5}) (.*?)(?: through .*)?", re.DOTALL)
_WORD: Final = re.compile(r"[\w-]+(?:\.[\w-]+)*")


def grouped(items: Iterable[T], key: Callable[[T], Hashable]) -> list[list[T]]:
    """Return the items with equal keys together, in the order in which each key came first."""
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def names(hosts: Sequence[Host], limit: int = LIMIT) -> str:
    """Return the hosts' names folded, as printable text of at most ``limit`` characters."""
    return folded([host.name for host in hosts], limit)


def label(hosts: Sequence[Host], limit: int, most: int) -> str:
    """Return the hosts' names folded for a column: within ``limit`` if some fit, else within ``most`` to be cut."""
    short = names(hosts, limit)
    return names(hosts, most) if short == f"{len(hosts)} hosts" else short


def folded(hosts: Sequence[str], limit: int = LIMIT) -> str:
    """Return names folded, as printable text of at most ``limit`` characters; an empty text for no names."""
    return printable(hosts[0] if len(hosts) == 1 else fold(hosts, limit), limit)


def recorded_host(name: str, endpoint: str = "") -> Host:
    """Return a host as the journal names it, with as much of its address as its ``Host.endpoint`` tells."""
    kind, _, place = endpoint.partition(" ")
    if kind == "local":
        return Host(name, name, engine=place)
    found = _ENDPOINT.fullmatch(place)
    return Host(name, found[1], port=int(found[2]), engine=found[3]) if found else Host(name, name)


def impersonal(text: str, host: Host) -> str:
    """Return a message without what is the host's own in it: name, address, port, socket, keys, a line of known_hosts.

    Hosts whose messages are equal then have the same fault.
    """
    socket = host.engine.removeprefix("unix://")
    text = text.replace(socket, "SOCKET") if socket.startswith("/") else text
    own = {host.name: "HOST", host.address: "HOST", str(host.port or 22): "PORT"}
    return _WORD.sub(lambda word: own.get(word[0], word[0]), _LINE.sub(":LINE)", _FINGERPRINT.sub("KEY", text)))
