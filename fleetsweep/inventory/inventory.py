"""An inventory: its hosts in order, and the selection of some of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.ansible_cfg import AnsibleConfig, Reading
from fleetsweep.inventory.exclusion import exclusion, unusable_hosts
from fleetsweep.inventory.files import Warnings, read_text
from fleetsweep.inventory.graph import ALL, UNGROUPED, Graph
from fleetsweep.inventory.host_vars import to_host
from fleetsweep.inventory.limits import INVENTORY_LIMIT_S, RenderTime
from fleetsweep.inventory.patterns import matched, named
from fleetsweep.inventory.sources import read_sources
from fleetsweep.inventory.templates import TemplateTimeoutError
from fleetsweep.model.host import Host

DEFAULT_ENGINE: Final = "unix:///var/run/docker.sock"
_TARGET: Final = re.compile(
    r"(?:([A-Za-z_][A-Za-z0-9._-]*)@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*)(?::(\d{1,5}))?", re.ASCII
)


def load(sources: Sequence[str], *, cwd: Path, engine: str | None = None) -> Inventory:
    """Read inventory files, directories, scripts and host lists in order. Raises InventoryError.

    A later source adds to the earlier ones. Relative paths start at ``cwd``, and its group_vars/ apply too.
    """
    warnings = Warnings()
    reading = Reading()
    graph = read_sources(sources, cwd=cwd, warnings=warnings, reading=reading)
    config = AnsibleConfig(cwd, os.environ)
    config.check(reading)
    return Inventory(graph, engine or DEFAULT_ENGINE, warnings, cwd, config)


def names_in(sources: Sequence[str], *, cwd: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the hosts and of the groups in the sources, for completion. Raises InventoryError.

    No inventory script and no plugin is run: their hosts are missing.
    """
    graph = read_sources(sources, cwd=cwd, warnings=Warnings(), programs=False)
    return tuple(graph.members(ALL)), tuple(graph.groups)


def ad_hoc(targets: Sequence[str], *, engine: str | None = None) -> Inventory:
    """Return an inventory of ``[user@]address[:port]`` targets. Raises InventoryError."""
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
    return Inventory(graph, engine or DEFAULT_ENGINE, Warnings(), Path())


class _Members(Mapping[str, Sequence[str]]):
    """The hosts of each group, looked up lazily."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def __getitem__(self, group: str) -> Sequence[str]:
        if group not in self._graph.groups:
            raise KeyError(group)
        return self._graph.members(group)

    def __iter__(self) -> Iterator[str]:
        return iter(self._graph.groups)

    def __len__(self) -> int:
        return len(self._graph.groups)


class Inventory:
    """All hosts, in Ansible's order. A host's variables are merged when the host is requested."""

    def __init__(
        self, graph: Graph, engine: str, warnings: Warnings, cwd: Path, config: AnsibleConfig | None = None
    ) -> None:
        """``config`` is Ansible's configuration, which is not used; warnings name what it would change."""
        self._config = config
        self._config_warnings: tuple[str, ...] = ()
        self._cwd = cwd
        self._graph = graph
        self._engine = engine
        self._warnings = warnings
        self._time = RenderTime(INVENTORY_LIMIT_S, "the templates of all hosts")
        self.names = graph.members(ALL)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings so far. Variable files are read when a host is requested, so more may follow."""
        return (*self._warnings.all(), *self._config_warnings)

    def hosts(self) -> tuple[Host, ...]:
        """Return every host. Raises InventoryError."""
        return self._hosts(self.names, ())

    def named(self, names: Sequence[str]) -> tuple[Host, ...]:
        """Return the hosts with exactly these names, in inventory order. Raises InventoryError for an unknown name."""
        return self._hosts(named(names, self.names))

    def select(self, limits: Sequence[str] = ()) -> tuple[Host, ...]:
        """Return the hosts that the limit patterns select, in inventory order; all without a limit.

        Raises InventoryError.
        """
        chosen = self._matched(limits)
        return self._hosts([name for name in self.names if name in chosen], limits)

    def _matched(self, limits: Sequence[str]) -> set[str]:
        return set(matched(limits, tuple(self._graph.hosts), _Members(self._graph), self._lines))

    def _lines(self, path: str) -> Sequence[str]:
        """Return the lines of a pattern file. Raises InventoryError."""
        try:
            return read_text(self._cwd / path, self._warnings).split("\n")
        except InventoryError as error:
            raise InventoryError("--limit", f"{'@' + path[:100]!r}: {error}") from error

    def _hosts(self, names: Sequence[str], limits: Sequence[str] | None = None) -> tuple[Host, ...]:
        """Return these hosts. Raises one InventoryError for all hosts that can't be used.

        ``limits`` are the limits that selected them; None if none did.
        """
        hosts: list[Host] = []
        errors: dict[str, InventoryError] = {}
        for name in names:
            try:
                hosts.append(self._host(name))
            except TemplateTimeoutError:
                # Others may take as long.
                raise
            except InventoryError as error:
                errors[name] = error
        if errors:
            pattern = self._exclusion(errors, names, limits) if limits is not None and hosts else None
            raise unusable_hosts(errors, len(names), pattern)
        if self._config is not None:
            self._config_warnings = self._config.warnings(hosts)
        return tuple(hosts)

    def _exclusion(self, unwanted: Mapping[str, object], names: Sequence[str], limits: Sequence[str]) -> str | None:
        """Return the limit that, added to ``limits``, leaves out the unwanted hosts and no other."""
        pattern = exclusion(unwanted, self.names, _Members(self._graph))
        try:
            left = self._matched([*limits, pattern]) if pattern else None
        except InventoryError:
            return None
        return pattern if left == set(names) - unwanted.keys() else None

    def _host(self, name: str) -> Host:
        variables, origins = self._graph.variables_of(name)
        groups, where = self._graph.groups_of(name), self._graph.hosts[name].where
        return to_host(name, variables, origins, groups, where, self._engine, self._time)
