"""Report the hosts that can't be used in one error, with the ``--limit`` pattern that leaves them out. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.folding import fold

LENGTH_LIMIT: Final = 1000
"""Characters of a pattern. A longer one is nothing to paste."""

_HOSTS: Final = "\0"
"""The place of the hosts in a message about them."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*", re.ASCII)
_FAMILY: Final = 3
"""The fewest hosts that are written as one glob."""


_CAUSES: Final = 6
"""The most causes that one error describes."""


def unusable_hosts(errors: Mapping[str, InventoryError], selected: int, pattern: str | None) -> InventoryError:
    """Return one error for the errors of these hosts, of so many selected; ``pattern`` is the limit without them.

    Hosts with the same cause are one entry: ``hosts:5: ansible_connection of win-[1-3]: 'winrm' is not supported``.
    """
    remedy = [f"add --limit '{pattern}' to leave {'it' if len(errors) == 1 else 'them'} out"] if pattern else []
    if len(errors) == 1:
        (error,) = errors.values()
        return InventoryError(error.where, "; ".join([_message(error), *remedy])) if pattern else error
    causes: dict[str, dict[str, str]] = defaultdict(dict)
    for name, error in errors.items():
        causes[_message(error).replace(f" of {name}", _HOSTS, 1)][name] = error.where
    entries = []
    for message, places in list(causes.items())[:_CAUSES]:
        where = next(iter(places.values()))
        several = " and elsewhere" if len(set(places.values())) > 1 else ""
        entries.append(f"{where}{several}: {message.replace(_HOSTS, f' of {fold(tuple(places))}', 1)}")
    if len(causes) > _CAUSES:
        entries.append(f"{len(causes) - _CAUSES} other causes")
    unusable = f"{len(errors)} of {selected} hosts can't be used: {fold(tuple(errors))}"
    return InventoryError("inventory", "; ".join([unusable, *remedy, *entries]))


def _message(error: InventoryError) -> str:
    return str(error).removeprefix(f"{error.where}: ")


def exclusion(unwanted: Iterable[str], hosts: Iterable[str], groups: Mapping[str, Sequence[str]]) -> str | None:
    """Return a pattern such as ``!windows,!sw-1`` that leaves out the unwanted hosts; None if it would be too long.

    ``hosts`` are all hosts. The pattern names a group, or a glob, only if all its hosts are unwanted. Evaluate it
    before use: a host may have the name of a group.
    """
    left = dict.fromkeys(unwanted)
    refused = frozenset(left)
    terms: list[str] = []
    for name in sorted(groups, key=lambda name: -len(groups[name])):
        members = groups[name]
        if _PLAIN.fullmatch(name) and refused.issuperset(members) and sum(member in left for member in members) > 1:
            terms.append(f"!{name}")
            for member in members:
                left.pop(member, None)
    families: dict[str, list[str]] = defaultdict(list)
    for name in left:
        families[re.split("[0-9]", name, maxsplit=1)[0]].append(name)
    for start, names in families.items():
        if start and len(names) >= _FAMILY and _starts_only(start, refused, hosts, groups):
            terms.append(f"!{start}*")
        else:
            terms.extend(f"!{name}" for name in names)
    if len(terms) == 1 and ":" in terms[0]:
        # Colons separate unless there is a comma.
        terms *= 2
    pattern = ",".join(terms)
    return pattern if len(pattern) <= LENGTH_LIMIT else None


def _starts_only(
    start: str, refused: frozenset[str], hosts: Iterable[str], groups: Mapping[str, Sequence[str]]
) -> bool:
    """Return whether every host and group whose name begins like this holds only refused hosts."""
    return all(host in refused for host in hosts if host.startswith(start)) and all(
        refused.issuperset(members) for name, members in groups.items() if name.startswith(start)
    )
