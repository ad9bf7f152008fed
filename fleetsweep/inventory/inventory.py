"""An inventory: its hosts in order, and the few that an operator means."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.sources import Groups, read_file
from fleetsweep.model import Connection, Host

DEFAULT_ENGINE: Final = "unix:///var/run/docker.sock"
_TARGET: Final = re.compile(
    r"(?:([A-Za-z_][A-Za-z0-9._-]*)@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*)(?::(\d{1,5}))?", re.ASCII
)
_LEFT_OUT: Final = (".orig", ".bak", ".ini~", ".cfg", ".retry", ".pyc", ".pyo", ".swp", ".md", "~")


def load(sources: Sequence[str], *, cwd: Path, engine: str | None = None) -> Inventory:
    """Read inventory files and directories in order; a later one adds to the earlier. Raises InventoryError."""
    found = Groups()
    for source in sources:
        path = cwd / Path(source).expanduser()
        if not path.exists():
            raise InventoryError(source, "is not there: check -i/--inventory")
        for file in _files_of(path):
            read_file(file, found)
    return Inventory(found, engine or DEFAULT_ENGINE)


def _files_of(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for entry in sorted(path.iterdir()):
        left_out = entry.name.startswith(".") or entry.name.endswith(_LEFT_OUT)
        if left_out or entry.name in {"group_vars", "host_vars"}:
            continue
        if entry.is_file() and os.access(entry, os.X_OK):
            raise InventoryError(str(entry), "inventory scripts are not supported yet: give a YAML or INI file")
        yield from _files_of(entry)


def ad_hoc(targets: Sequence[str], *, engine: str | None = None) -> Inventory:
    """An inventory of ``[user@]address[:port]`` targets. Raises InventoryError."""
    found = Groups()
    for target in targets:
        parts = _TARGET.fullmatch(target)
        if parts is None or not 0 < int(parts[3] or 22) < 65536:
            raise InventoryError("--host", f"{target[:80]!r} is not [user@]address[:port]")
        variables: dict[str, object] = {"ansible_host": parts[2].strip("[]")}
        if parts[1]:
            variables["ansible_user"] = parts[1]
        if parts[3]:
            variables["ansible_port"] = int(parts[3])
        name = parts[2].strip("[]")
        found.group("ungrouped").hosts[name] = None
        found.host_variables[name] = variables
        found.where[name] = "--host"
    return Inventory(found, engine or DEFAULT_ENGINE)


class Inventory:
    """All hosts in the order the sources name them."""

    def __init__(self, found: Groups, engine: str) -> None:
        self._found = found
        self._engine = engine
        self._depth = self._depths()
        self._members = {name: set(self._members_of(name, ())) for name in found.groups}
        self.names = tuple(found.host_variables)

    def hosts(self) -> tuple[Host, ...]:
        """Every host."""
        return tuple(self._host(name) for name in self.names)

    def named(self, names: Sequence[str]) -> tuple[Host, ...]:
        """The hosts of exactly these names, in inventory order. Raises InventoryError for one that isn't there."""
        for name in names:
            if name not in self._found.host_variables:
                near = difflib.get_close_matches(name, self.names, n=1)
                hint = f": did you mean {near[0]}?" if near else ": see fleetsweep hosts"
                raise InventoryError("--host", f"no host is named {name!r}{hint}")
        return tuple(self._host(name) for name in self.names if name in names)

    def select(self, limits: Sequence[str] = ()) -> tuple[Host, ...]:
        """The hosts that the limit patterns select, in inventory order; all without one. Raises InventoryError.

        Names, groups and globs, separated by commas; ``!`` takes away. Nothing selected is an error.
        """
        chosen = set(self.names)
        if limits:
            terms = [term.strip() for limit in limits for term in limit.split(",")]
            if not all(terms):
                raise InventoryError("--limit", "an empty pattern selects nothing: leave --limit out to mean all hosts")
            wanted = [term for term in terms if not term.startswith("!")]
            if wanted:
                chosen = set().union(*(self._matching(term) for term in wanted))
            for term in terms:
                if term.startswith("!"):
                    chosen -= self._matching(term[1:])
        if not chosen:
            raise InventoryError("--limit" if limits else "inventory", "no host is selected: see fleetsweep hosts")
        return tuple(self._host(name) for name in self.names if name in chosen)

    def _matching(self, term: str) -> set[str]:
        if term.startswith(("~", "&", "@")) or ":" in term or "[" in term:
            raise InventoryError("--limit", f"{term!r} is not supported yet: give names, groups, globs, commas and '!'")
        if term in self._found.host_variables:
            return {term}
        found = set(self.names) if term in {"all", "*"} else set()
        for group, members in self._members.items():
            if fnmatchcase(group, term):
                found |= members
        found |= {name for name in self.names if fnmatchcase(name, term)}
        if not found:
            raise InventoryError("--limit", f"{term!r} matches no host and no group: see fleetsweep hosts")
        return found

    def _members_of(self, group: str, above: tuple[str, ...]) -> Iterator[str]:
        if group in above:
            raise InventoryError(f"group {group}", "is its own descendant: " + " > ".join((*above, group)))
        body = self._found.groups[group]
        yield from body.hosts
        for child in body.children:
            yield from self._members_of(child, (*above, group))

    def _depths(self) -> dict[str, int]:
        depths = dict.fromkeys(self._found.groups, 0)
        for _ in range(len(depths)):
            deeper = {
                child: max(depths[child], depths[name] + 1)
                for name, body in self._found.groups.items()
                for child in body.children
                if name != "all" and depths[child] <= depths[name]
            }
            if not deeper:
                break
            depths.update(deeper)
        return depths

    def _groups_of(self, name: str) -> list[str]:
        """The host's groups as their variables apply: parents before children, then by name."""
        groups = [group for group, members in self._members.items() if name in members and group != "all"]
        return sorted(groups, key=lambda group: (self._depth[group], group))

    def _host(self, name: str) -> Host:
        groups = self._groups_of(name)
        variables: dict[str, object] = {}
        origins: dict[str, str] = {}
        for group in ("all", "ungrouped", *groups):
            if group in self._found.groups and (group != "ungrouped" or name in self._members[group]):
                variables.update(self._found.groups[group].variables)
                origins.update(self._found.groups[group].origins)
        variables.update(self._found.host_variables[name])
        origins.update(self._found.host_origins.get(name, {}))
        host = _to_host(name, variables, tuple(groups), self._found.where[name], self._engine)
        return replace(host, origins=origins)


def _to_host(name: str, variables: dict[str, object], groups: tuple[str, ...], where: str, engine: str) -> Host:
    def text(*keys: str) -> str | None:
        for key in keys:
            value = variables.get(key)
            if value is None:
                continue
            shown = str(value)
            if not isinstance(value, (str, int)) or isinstance(value, bool) or not shown or "{{" in shown:
                raise InventoryError(where, f"{key} of {name} is {value!r}: write a plain text")
            if shown.startswith("-") or any(character.isspace() or ord(character) < 32 for character in shown):
                raise InventoryError(where, f"{key} of {name} is {value!r}: it can't begin with '-' or hold spaces")
            return shown
        return None

    port = text("ansible_port", "ansible_ssh_port")
    if port is not None and not (port.isdecimal() and 0 < int(port) < 65536):
        raise InventoryError(where, f"ansible_port of {name} is {port!r}: write a number from 1 to 65535")
    kind = text("ansible_connection") or "ssh"
    if kind not in {"ssh", "paramiko", "paramiko_ssh", "smart", "local"}:
        raise InventoryError(where, f"ansible_connection of {name} is {kind!r}: write ssh or local")
    for key in ("ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_become"):
        if variables.get(key) not in {None, "", False}:
            raise InventoryError(where, f"{key} of {name} is not supported yet: put it into the SSH configuration")
    url = text("fleetsweep_engine") or engine
    if not url.startswith(("unix:///", "tcp://")):
        raise InventoryError(where, f"fleetsweep_engine of {name} is {url!r}: write unix:///path or tcp://address:port")
    return Host(
        name=name,
        address=text("ansible_host", "ansible_ssh_host") or name,
        port=int(port) if port else None,
        user=text("ansible_user", "ansible_ssh_user"),
        key_file=text("ansible_ssh_private_key_file", "ansible_private_key_file"),
        connection=Connection.LOCAL if kind == "local" else Connection.SSH,
        engine=url,
        groups=groups,
        variables=variables,
    )
