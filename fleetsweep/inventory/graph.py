"""Groups, hosts and their variables, merged as Ansible merges them.

https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html#how-variables-are-merged
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.ranges import check_name
from fleetsweep.inventory.values import AmbiguousOrigin, VaultValue
from fleetsweep.model.numerals import whole

__all__ = ["ALL", "UNGROUPED", "Graph", "Group", "HostEntry", "Layer", "VariableSource", "VaultValue"]

ALL: Final = "all"
UNGROUPED: Final = "ungrouped"
HOST_LIMIT: Final = 250_000
"""Hosts, and groups, of all sources together. It bounds memory whatever is read."""
DEPTH_LIMIT: Final = 100
"""Levels of nested groups."""

Layer = tuple[Mapping[str, object], Mapping[str, str]]
"""Variables, and the ``path:line`` that set each of them."""


class VariableSource(Protocol):
    """Variables from outside the sources: one directory's group_vars/ and host_vars/."""

    def of_group(self, name: str) -> Sequence[Layer]:
        """Return the variables that files set for a group, in the order in which they apply."""

    def of_host(self, name: str) -> Sequence[Layer]:
        """Return the variables that files set for a host, in the order in which they apply."""


@dataclass(slots=True)
class Group:
    """A group's own hosts, child groups and variables. At the same depth a higher ``priority`` wins."""

    name: str
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    variables: dict[str, object] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    priority: int = 1


@dataclass(slots=True)
class HostEntry:
    """A host, the variables set on the host itself, and the ``path:line`` that named it first."""

    name: str
    variables: dict[str, object]
    origins: dict[str, str]
    where: str


class Graph:
    """The groups and hosts of all sources. Readers fill it, ``seal`` completes it once, then it is queried."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {name: Group(name) for name in (ALL, UNGROUPED)}
        self.groups[ALL].children[UNGROUPED] = None
        self.hosts: dict[str, HostEntry] = {}
        self._child_where: dict[tuple[str, str], str] = {}
        self._variable_sources: Sequence[VariableSource] = ()
        self._parents: dict[str, list[str]] = {}
        self._depths: dict[str, int] = {}
        self._direct: dict[str, list[str]] = {}
        self._members: dict[str, tuple[str, ...]] = {}
        self._merged: dict[frozenset[str], tuple[dict[str, object], dict[str, str]]] = {}
        self._closures: dict[tuple[str, ...], frozenset[str]] = {}
        self._never_ungrouped: set[str] = set()

    # Filling: called by the readers.

    def add_group(self, name: object, where: str) -> Group:
        """Return the group of that name, created if it is new. Raises InventoryError."""
        group = self.groups.get(name) if isinstance(name, str) else None
        if group is None:
            if not isinstance(name, str) or not name.strip() or "/" in name or not name.isprintable():
                raise InventoryError(where, f"{str(name)[:80]!r} is not a group name: write printable text without '/'")
            if len(self.groups) >= HOST_LIMIT:
                raise InventoryError(where, f"there are more than {HOST_LIMIT} groups")
            group = self.groups[name] = Group(name)
        return group

    def add_host(self, name: object, group: Group, where: str, port: int | None = None) -> str:
        """Add a host to a group; the port is used only if the host is new. Raises InventoryError."""
        if not isinstance(name, str):
            raise InventoryError(where, f"{name!r} is not a host name: write it in quotes")
        if name not in self.hosts:
            check_name(name, where)
            if len(self.hosts) >= HOST_LIMIT:
                raise InventoryError(where, f"there are more than {HOST_LIMIT} hosts")
            entry = self.hosts[name] = HostEntry(name, {}, {}, where)
            if port:
                entry.variables["ansible_port"] = port
                entry.origins["ansible_port"] = where
        group.hosts[name] = None
        return name

    def add_child(self, parent: Group, child: Group, where: str) -> None:
        """Add a child group. ``seal`` finds cycles."""
        parent.children[child.name] = None
        self._child_where.setdefault((parent.name, child.name), where)

    def set_variable(self, owner: str, key: object, value: object, where: str) -> None:
        """Set a variable of a group, or else of a host. Like Ansible, it prefers the group where both have the name."""
        group = self.groups.get(owner)
        name = key if isinstance(key, str) else str(key)
        if group is None:
            entry: Group | HostEntry = self.hosts[owner]
        elif name == "ansible_group_priority":
            if isinstance(where, AmbiguousOrigin):
                raise InventoryError(str(where), f"{where.reason}: remove one")
            group.priority = _priority(value, where)
            return
        else:
            entry = group
        entry.variables[name] = value
        entry.origins[name] = where

    def set_host_variable(self, host: str, key: str, value: object, where: str) -> None:
        """Set a variable of a host, even if a group has the same name."""
        entry = self.hosts[host]
        entry.variables[key] = value
        entry.origins[key] = where

    def seal(self, variable_sources: Sequence[VariableSource] = ()) -> None:
        """Apply Ansible's membership rules for ``all`` and ``ungrouped``, once every source was read.

        ``variable_sources`` are the directories of the sources in order, then the working directory.
        Raises InventoryError for a cycle of groups.
        """
        self._variable_sources = variable_sources
        self._index_groups()
        root = self.groups[ALL]
        for name in self.groups:
            if name != ALL and not self._parents[name]:
                root.children[name] = None
        self._index_groups()
        outside = [parent for parent in self._parents[UNGROUPED] if parent != ALL]
        if outside:
            # Ansible would then find each of its hosts grouped, and drop them all.
            raise InventoryError(
                self._child_where[outside[0], UNGROUPED],
                f"ungrouped can't be a child of {outside[0]}: put those hosts into a group of their own",
            )
        self._fill_ungrouped()

    def _fill_ungrouped(self) -> None:
        ungrouped = self.groups[UNGROUPED]
        filed: set[str] = set()
        for name in self.hosts:
            closure = self._closure(name)
            if UNGROUPED in closure:
                if closure - {ALL, UNGROUPED} and name in ungrouped.hosts:
                    del ungrouped.hosts[name]
                    self._never_ungrouped.add(name)
            elif closure <= {ALL}:
                if name in self.groups:
                    # An ungrouped host with the name of a group: Ansible makes the group a child of ungrouped.
                    ungrouped.children[name] = None
                    if not self._ancestors([name]) & {UNGROUPED, *filed}:
                        self._never_ungrouped -= set(self._hosts_below(name))
                    filed.add(name)
                    self._child_where.setdefault((UNGROUPED, name), self.hosts[name].where)
                else:
                    ungrouped.hosts[name] = None
        if filed:
            self._index_groups()
        self._direct = self._direct_groups()
        self._closures.clear()

    def _index_groups(self) -> None:
        """Compute parents and depths. Raises InventoryError for a cycle, and for groups nested too deeply."""
        parents: dict[str, list[str]] = {name: [] for name in self.groups}
        for group in self.groups.values():
            for child in group.children:
                parents[child].append(group.name)
        unresolved = {name: len(above) for name, above in parents.items()}
        depths = dict.fromkeys(self.groups, 0)
        ready = [name for name, count in unresolved.items() if not count]
        for name in ready:
            for child in self.groups[name].children:
                depths[child] = max(depths[child], depths[name] + 1)
                if depths[child] > DEPTH_LIMIT:
                    where = self._child_where.get((name, child), f"group {child}")
                    raise InventoryError(where, f"groups are nested more than {DEPTH_LIMIT} deep")
                unresolved[child] -= 1
                if not unresolved[child]:
                    ready.append(child)
        if len(ready) < len(self.groups):
            raise self._cycle_error(parents, unresolved)
        self._parents, self._depths = parents, depths
        self._direct = self._direct_groups()
        self._closures.clear()

    def _cycle_error(self, parents: Mapping[str, Sequence[str]], unresolved: Mapping[str, int]) -> InventoryError:
        # Each unresolved group has an unresolved parent, so walking up from one must visit some group twice.
        path = [next(name for name, count in unresolved.items() if count)]
        while path[-1] not in path[:-1]:
            path.append(next(parent for parent in parents[path[-1]] if unresolved[parent]))
        cycle = path[path.index(path[-1]) :]
        where = self._child_where.get((cycle[1], cycle[0]), f"group {cycle[0]}")
        shown = " > ".join(cycle[:10][::-1])
        return InventoryError(where, f"group {cycle[0]} is its own descendant: {shown}")

    def _direct_groups(self) -> dict[str, list[str]]:
        direct: dict[str, list[str]] = {name: [] for name in self.hosts}
        for group in self.groups.values():
            for name in group.hosts:
                direct[name].append(group.name)
        return direct

    def _closure(self, host: str) -> frozenset[str]:
        """Return all groups that a host is in, directly or through descendants."""
        direct = tuple(self._direct[host])
        found = self._closures.get(direct)
        if found is None:
            found = self._closures[direct] = frozenset({*direct, *self._ancestors(direct)})
        # Ansible removes such a host from ungrouped even if one of its groups is a child of ungrouped.
        return found - {UNGROUPED} if host in self._never_ungrouped else found

    def _ancestors(self, groups: Sequence[str]) -> set[str]:
        reached: set[str] = set()
        level = list(groups)
        while level:
            level = [up for name in level for up in self._parents[name] if up not in reached]
            reached.update(level)
        return reached

    # Queries: valid once the graph is sealed.

    def members(self, group: str) -> tuple[str, ...]:
        """Return every host of a group and its descendants: its own first, then its children's, then theirs.

        This is Ansible's order where it has one. Beyond grandchildren Ansible's depends on set iteration.
        """
        found = self._members.get(group)
        if found is None:
            found = self._members[group] = self._hosts_below(group)
        return found

    def _hosts_below(self, group: str) -> tuple[str, ...]:
        hosts: dict[str, None] = {}
        seen = {group}
        level = [group]
        while level:
            for name in level:
                hosts.update(self.groups[name].hosts)
            below = dict.fromkeys(child for name in level for child in self.groups[name].children)
            level = [name for name in below if name not in seen]
            seen.update(level)
        return tuple(hosts)

    def groups_of(self, host: str) -> tuple[str, ...]:
        """Return the sorted names of the groups that a host is in, without ``all``: Ansible's ``group_names``."""
        return tuple(sorted(self._closure(host) - {ALL}))

    def variables_of(self, host: str) -> tuple[dict[str, object], dict[str, str]]:
        """Return a host's merged variables, and the place that set each. Raises InventoryError."""
        entry = self.hosts[host]
        above, above_origins = self._variables_of_groups(self._closure(host))
        variables, origins = dict(above), dict(above_origins)
        for layer in self._layers_of_host(entry):
            variables.update(layer[0])
            origins.update(layer[1])
        return variables, origins

    def _layers_of_host(self, entry: HostEntry) -> Iterator[Layer]:
        yield entry.variables, entry.origins
        for source in self._variable_sources:
            yield from source.of_host(entry.name)

    def _variables_of_groups(self, names: frozenset[str]) -> tuple[dict[str, object], dict[str, str]]:
        merged = self._merged.get(names)
        if merged is None:
            merged = self._merged[names] = ({}, {})
            for variables, origins in self._layers_of_groups(names):
                merged[0].update(variables)
                merged[1].update(origins)
        return merged

    def _layers_of_groups(self, names: frozenset[str]) -> Iterator[Layer]:
        groups = sorted(
            (self.groups[name] for name in names if name != ALL),
            key=lambda group: (self._depths[group.name], group.priority, group.name),
        )
        # Variables in sources come before those in group_vars/, even those of all.
        for group in (self.groups[ALL], *groups):
            yield group.variables, group.origins
        for source in self._variable_sources:
            yield from source.of_group(ALL)
        for source in self._variable_sources:
            for group in groups:
                yield from source.of_group(group.name)


def _priority(value: object, where: str) -> int:
    other_digits = isinstance(value, str) and whole(value.strip().removeprefix("-")) is None
    try:
        return int("" if other_digits else value)  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError, OverflowError) as error:
        raise InventoryError(where, f"ansible_group_priority is {value!r}: write a whole number") from error
