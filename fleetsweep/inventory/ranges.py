"""Parse host names as inventories write them: with ranges and a port.

https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html#adding-ranges-of-hosts
"""

from __future__ import annotations

import ipaddress
import re
import string
from collections.abc import Sequence
from typing import Final

from fleetsweep.errors import InventoryError

RANGE_LIMIT: Final = 100_000
"""Hosts that one pattern may expand to: a typo must not exhaust memory."""

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*", re.ASCII)
_SPAN: Final = re.compile(r"\[([^\[\]]*)\]")
_BOUNDS: Final = re.compile(r"(?:([0-9]{0,18}):([0-9]{1,18})|([a-zA-Z]):([a-zA-Z]))(?::([0-9]{1,18}))?")
_BRACKETED: Final = re.compile(r"\[(.+)\]:([0-9]{1,9})")
_WITH_PORT: Final = re.compile(r"((?:[^:\[\]]|\[[^\[\]]*\])+):([0-9]{1,9})")
_LABEL: Final = r"(?:[A-Za-z0-9_][A-Za-z0-9_-]*)?[A-Za-z0-9]"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)


def check_name(name: str, where: str) -> None:
    """Raise InventoryError if ``name`` can't be a host name.

    Names end up in command lines, file names and terminals, so the grammar is narrow: no options, no paths, no shell
    characters.
    """
    if (_NAME.fullmatch(name) is None or ".." in name) and not _is_ipv6(name):
        raise InventoryError(where, f"{name[:80]!r} is not a host name: use letters, digits, '.', '_' and '-'")


def host_names(pattern: str, where: str) -> tuple[Sequence[str], int | None]:
    """Return the names that ``runner-[01:20]:2222`` expands to, in order, and its port. Raises InventoryError."""
    if ":" not in pattern and "[" not in pattern:
        check_name(pattern, where)
        return (pattern,), None
    address, port = pattern, None
    found = _BRACKETED.fullmatch(pattern) or _WITH_PORT.fullmatch(pattern)
    if found is not None:
        address, port = found[1], int(found[2])
        # Ansible accepts a port only after an address; anything else would be a name with a colon.
        bare = _SPAN.sub("1", address)
        if _DOMAIN.fullmatch(bare) is None and not _is_ipv6(bare):
            raise InventoryError(
                where, f"{pattern[:80]!r} is not a host with a port: write name:port or [address]:port"
            )
    names = expand(address, where)
    for name in names:
        check_name(name, where)
    return names, port


def expand(pattern: str, where: str) -> list[str]:
    """Return the expansion of a pattern with ranges; the last range varies fastest. Raises InventoryError."""
    head, *rest = _SPAN.split(pattern)
    pieces = list(zip(rest[::2], rest[1::2], strict=True))
    if any(bracket in text for text in (head, *(tail for _, tail in pieces)) for bracket in "[]"):
        raise InventoryError(where, f"{pattern[:80]!r} has an unmatched bracket")
    names = [head]
    for bounds, tail in pieces:
        middles = _span(bounds, where)
        if len(names) * len(middles) > RANGE_LIMIT:
            raise InventoryError(where, f"{pattern[:80]!r} expands to more than {RANGE_LIMIT} hosts")
        names = [name + middle + tail for name in names for middle in middles]
    return names


def _span(bounds: str, where: str) -> list[str]:
    found = _BOUNDS.fullmatch(bounds)
    step = int(found[5] or 1) if found else 0
    if found is None or step < 1:
        raise InventoryError(where, f"[{bounds[:80]}] is not a range: write [1:9], [01:20:2] or [a:f]")
    if found[3]:
        letters = string.ascii_letters
        middles = list(letters[letters.index(found[3]) : letters.index(found[4]) + 1 : step])
    else:
        first, last = found[1] or "0", found[2]
        # A leading zero fixes the width.
        width = len(first) if len(first) > 1 and first[0] == "0" else 0
        if width and width != len(last):
            raise InventoryError(
                where, f"[{bounds}] is not a range: with a leading zero both bounds need the same width"
            )
        if (int(last) - int(first)) // step >= RANGE_LIMIT:
            raise InventoryError(where, f"[{bounds}] expands to more than {RANGE_LIMIT} hosts")
        middles = [str(number).zfill(width) for number in range(int(first), int(last) + 1, step)]
    if not middles:
        raise InventoryError(where, f"[{bounds}] is an empty range: the first bound is greater than the last")
    return middles


def _is_ipv6(text: str) -> bool:
    try:
        return "%" not in text and ipaddress.ip_address(text).version == 6
    except ValueError:
        return False
