"""Groups, hosts and their variables, merged as Ansible merges them.

https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html#how-variables-are-merged
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.ranges import check_name
from fleetsweep.inventory.values import VaultValue
from fleetsweep.model.numerals import whole

__all__ = ["ALL", "UNGROUPED", "Graph", "Group", "HostEntry", "Layer", "VariableSource", "VaultValue"]

ALL: Final = "all"
UNGROUPED: Final = "ungrouped"
HOST_LIMIT: Final = 250_000
"""Hosts that all sources together may name, and groups: memory stays bounded whatever is read."""
DEPTH_LIMIT: Final = 100
"""Groups within groups."""

Layer = tuple[Mapping[str, object], Mapping[str, str]]
"""Variables, and where each of them stands."""


class VariableSource(Protocol):
    """Where variables are kept beside the sources: one directory's group_vars/ and host_vars/."""

    def of_group(self, name: str) -> Sequence[Layer]:
        """What files say of a group, in the order in which they apply."""

    def of_host(self, name: str) -> Sequence[Layer]:
        """What files say of a host, in the order in which they apply."""


@dataclass(slots=True)
class Group:
    """A group's own hosts, child groups and variables. Among equals a higher ``priority`` wins."""

    name: str
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    variables: dict[str, object] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    priority: int = 1


@dataclass(slots=True)
class HostEntry:
    """A host, the variables written at the host itself, and the file and line that named it first."""

    name: str
    variables: dict[str, object]
    origins: dict[str, str]
    where: str


class Graph:
    """What the sources said: filled by the readers, then sealed once, then asked."""

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

    # What readers call.

    def add_group(self, name: object, where: str) -> Group:
        """The group of that name, made if it is new. Raises InventoryError."""
        group = self.groups.get(name) if isinstance(name, str) else None
        if group is None:
            if not isinstance(name, str) or not name.strip() or "/" in name or not name.isprintable():
                raise InventoryError(where, f"{str(name)[:80]!r} is not a group name: write a text, without '/'")
            if len(self.groups) >= HOST_LIMIT:
                raise InventoryError(where, f"there are more than {HOST_LIMIT} groups")
            group = self.groups[name] = Group(name)
        return group

    def add_host(self, name: object, group: Group, where: str, port: int | None = None) -> str:
        """Put a host into a group; the port counts only where the host is new. Raises InventoryError."""
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
        """Put a group into a group. A circle is found when the graph is sealed."""
        parent.children[child.name] = None
        self._child_where.setdefault((parent.name, child.name), where)

    def set_variable(self, owner: str, key: object, value: object, where: str) -> None:
        """Set a variable of a group or else a host: Ansible, too, takes the group where both have the name."""
        group = self.groups.get(owner)
        name = key if isinstance(key, str) else str(key)
        if group is None:
            entry: Group | HostEntry = self.hosts[owner]
        elif name == "ansible_group_priority":
            group.priority = _priority(value, where)
            return
        else:
            entry = group
        entry.variables[name] = value
        entry.origins[name] = where

    def seal(self, variable_sources: Sequence[VariableSource] = ()) -> None:
        """Apply Ansible's rules of who is in ``all`` and ``ungrouped``, once every source was read.

        ``variable_sources`` are the directories of the sources in order, and at last the working directory.
        Raises InventoryError for groups in a circle.
        """
        self._variable_sources = variable_sources
        self._sort_out()
        everyone = self.groups[ALL]
        for name in self.groups:
            if name != ALL and not self._parents[name]:
                everyone.children[name] = None
        self._sort_out()
        outside = [parent for parent in self._parents[UNGROUPED] if parent != ALL]
        if outside:
            # Ansible then finds each of its hosts grouped, and loses them all.
            raise InventoryError(
                self._child_where[outside[0], UNGROUPED],
                f"ungrouped can't be in {outside[0]}: name those hosts' group, or leave ungrouped to 'all'",
            )
        self._fill_ungrouped()

    def _fill_ungrouped(self) -> None:
        ungrouped = self.groups[UNGROUPED]
        regrouped = False
        for name in self.hosts:
            closure = self._closure(name)
            if UNGROUPED in closure:
                if closure - {ALL, UNGROUPED}:
                    ungrouped.hosts.pop(name, None)
            elif closure <= {ALL}:
                if name in self.groups:
                    # A host in no group that is called like a group: Ansible files the group there.
                    ungrouped.children[name] = None
                    self._child_where.setdefault((UNGROUPED, name), self.hosts[name].where)
                    regrouped = True
                else:
                    ungrouped.hosts[name] = None
        if regrouped:
            self._sort_out()
        self._direct = self._direct_groups()
        self._closures.clear()

    def _sort_out(self) -> None:
        """Parents and depths; refuses circles and a nesting that no fleet needs."""
        parents: dict[str, list[str]] = {name: [] for name in self.groups}
        for group in self.groups.values():
            for child in group.children:
                parents[child].append(group.name)
        waiting = {name: len(above) for name, above in parents.items()}
        depths = dict.fromkeys(self.groups, 0)
        ready = [name for name, count in waiting.items() if not count]
        for name in ready:
            for child in self.groups[name].children:
                depths[child] = max(depths[child], depths[name] + 1)
                if depths[child] > DEPTH_LIMIT:
                    where = self._child_where.get((name, child), f"group {child}")
                    raise InventoryError(where, f"groups are nested more than {DEPTH_LIMIT} deep")
                waiting[child] -= 1
                if not waiting[child]:
                    ready.append(child)
        if len(ready) < len(self.groups):
            raise self._circle(parents, waiting)
        self._parents, self._depths = parents, depths
        self._direct = self._direct_groups()
        self._closures.clear()

    def _circle(self, parents: Mapping[str, Sequence[str]], waiting: Mapping[str, int]) -> InventoryError:
        # Whoever still waits has a parent that waits: going up from one must meet somebody twice.
        path = [next(name for name, count in waiting.items() if count)]
        while path[-1] not in path[:-1]:
            path.append(next(parent for parent in parents[path[-1]] if waiting[parent]))
        circle = path[path.index(path[-1]) :]
        where = self._child_where.get((circle[1], circle[0]), f"group {circle[0]}")
        shown = " > ".join(circle[:10][::-1])
        return InventoryError(where, f"group {circle[0]} is its own descendant: {shown}")

    def _direct_groups(self) -> dict[str, list[str]]:
        direct: dict[str, list[str]] = {name: [] for name in self.hosts}
        for group in self.groups.values():
            for name in group.hosts:
                direct[name].append(group.name)
        return direct

    def _closure(self, host: str) -> frozenset[str]:
        """All groups that a host is in, by whatever way."""
        direct = tuple(self._direct[host])
        found = self._closures.get(direct)
        if found is None:
            reached: set[str] = set()
            level: list[str] = list(direct)
            while level:
                reached.update(level)
                level = [up for name in level for up in self._parents[name] if up not in reached]
            found = self._closures[direct] = frozenset(reached)
        return found

    # What is asked once it is sealed.

    def members(self, group: str) -> tuple[str, ...]:
        """Every host of a group and its descendants: its own first, then its children's, then theirs.

        Ansible's order, too, where it has one: beyond grandchildren it depends on how sets iterate.
        """
        found = self._members.get(group)
        if found is None:
            hosts: dict[str, None] = {}
            seen = {group}
            level = [group]
            while level:
                for name in level:
                    hosts.update(self.groups[name].hosts)
                below = dict.fromkeys(child for name in level for child in self.groups[name].children)
                level = [name for name in below if name not in seen]
                seen.update(level)
            found = self._members[group] = tuple(hosts)
        return found

    def groups_of(self, host: str) -> tuple[str, ...]:
        """The sorted names of the groups that a host is in, but for ``all``: Ansible's ``group_names``."""
        return tuple(sorted(self._closure(host) - {ALL}))

    def variables_of(self, host: str) -> tuple[dict[str, object], dict[str, str]]:
        """A host's merged variables, and for each the place that gave it. Raises InventoryError."""
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
        # Whatever is written in sources comes before whatever is written in files beside them, even for all.
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
