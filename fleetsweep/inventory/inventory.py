"""An inventory: its hosts in order, and the few that an operator means."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.connection import to_host
from fleetsweep.inventory.files import Warnings
from fleetsweep.inventory.graph import ALL, UNGROUPED, Graph
from fleetsweep.inventory.sources import read_sources
from fleetsweep.model import Host

DEFAULT_ENGINE: Final = "unix:///var/run/docker.sock"
_TARGET: Final = re.compile(
    r"(?:([A-Za-z_][A-Za-z0-9._-]*)@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*)(?::(\d{1,5}))?", re.ASCII
)


def load(sources: Sequence[str], *, cwd: Path, engine: str | None = None) -> Inventory:
    """Read inventory files, directories, programs and host lists in order. Raises InventoryError.

    A later source adds to the earlier ones. ``cwd`` is where relative paths begin, and whose group_vars/ count too.
    """
    warnings = Warnings()
    return Inventory(read_sources(sources, cwd=cwd, warnings=warnings), engine or DEFAULT_ENGINE, warnings)


def ad_hoc(targets: Sequence[str], *, engine: str | None = None) -> Inventory:
    """An inventory of ``[user@]address[:port]`` targets. Raises InventoryError."""
    where = "--host"
    graph = Graph()
    for target in targets:
        parts = _TARGET.fullmatch(target)
        if parts is None or not 0 < int(parts[3] or 22) < 65536:
            raise InventoryError(where, f"{target[:80]!r} is not [user@]address[:port]")
        name = parts[2].strip("[]")
        graph.add_host(name, graph.groups[UNGROUPED], where, int(parts[3]) if parts[3] else None)
        graph.set_variable(name, "ansible_host", name, where)
        if parts[1]:
            graph.set_variable(name, "ansible_user", parts[1], where)
    graph.seal()
    return Inventory(graph, engine or DEFAULT_ENGINE, Warnings())


class Inventory:
    """All hosts, in Ansible's order. A host's variables are merged when it is asked for."""

    def __init__(self, graph: Graph, engine: str, warnings: Warnings) -> None:
        self._graph = graph
        self._engine = engine
        self._warnings = warnings
        self.names = graph.members(ALL)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an operator should know, so far: variable files are read when a host is asked for."""
        return self._warnings.all()

    def hosts(self) -> tuple[Host, ...]:
        """Every host."""
        return tuple(self._host(name) for name in self.names)

    def named(self, names: Sequence[str]) -> tuple[Host, ...]:
        """The hosts of exactly these names, in inventory order. Raises InventoryError for one that isn't there."""
        for name in names:
            if name not in self.names:
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
        if term in self.names:
            return {term}
        found = set(self.names) if term in {"all", "*"} else set()
        for group in self._graph.groups:
            if fnmatchcase(group, term):
                found.update(self._graph.members(group))
        found |= {name for name in self.names if fnmatchcase(name, term)}
        if not found:
            raise InventoryError("--limit", f"{term!r} matches no host and no group: see fleetsweep hosts")
        return found

    def _host(self, name: str) -> Host:
        variables, origins = self._graph.variables_of(name)
        groups, where = self._graph.groups_of(name), self._graph.hosts[name].where
        return to_host(name, variables, origins, groups, where, self._engine)
