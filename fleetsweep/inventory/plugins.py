"""Read the configuration of an inventory plugin through ansible-inventory.

A plugin may read the sources before it: ``constructed`` makes groups and variables out of their hosts. So
ansible-inventory gets these sources, too, and what the plugin adds to them is added here.
https://docs.ansible.com/ansible/latest/plugins/inventory.html
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.dynamic import run
from fleetsweep.inventory.folding import fold
from fleetsweep.inventory.graph import ALL, UNGROUPED, Graph
from fleetsweep.inventory.yaml_text import parse_json

SECONDS: Final = 300.0
"""Seconds for one run of ansible-inventory: a plugin may query a slow cloud API."""

# Without these, ansible-inventory only warns about a source that it can't read, and returns an empty inventory.
_STRICT: Final = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True", "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True"}
_NO_FILES: Final = {"ANSIBLE_VARS_ENABLED": ""}
# TOML is read even if ansible.cfg enables other plugins only.
_TOML: Final = _STRICT | _NO_FILES | {"ANSIBLE_INVENTORY_ENABLED": "toml"}


@dataclass(slots=True)
class _Group:
    hosts: list[str] = field(default_factory=list)
    children: list[str] = field(default_factory=list)
    variables: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class _Output:
    """An inventory as ansible-inventory prints it, with the variables of each host."""

    groups: dict[str, _Group] = field(default_factory=dict)
    variables: dict[str, dict[str, object]] = field(default_factory=dict)

    def hosts(self) -> dict[str, None]:
        """Return the names of all hosts."""
        return dict.fromkeys(
            host for hosts in (*(group.hosts for group in self.groups.values()), self.variables) for host in hosts
        )


class Plugins:
    """Reads plugin configurations. It keeps the output for the sources so far, where a further plugin may need it."""

    def __init__(self, cwd: Path) -> None:
        self._cwd = cwd
        self._known: dict[tuple[bool, tuple[str, ...]], _Output] = {}

    def read(self, path: Path, configuration: Mapping[str, object], before: Sequence[str], graph: Graph) -> None:
        """Add to the graph what a plugin adds to the sources ``before`` it. Raises InventoryError."""
        where = f"ansible-inventory -i {path}"
        if path.suffix == ".toml":
            old, new = _Output(), self._run((str(path),), path, _TOML)
        else:
            # Only this option needs group_vars/ and host_vars/ in ansible-inventory. They may be encrypted.
            with_files = "use_vars_plugins" in configuration
            old = self._output(tuple(before), path, with_files) if before else _Output()
            new = self._output((*before, str(path)), path, with_files)
        _check_kept(old, new, where, graph)
        _add_difference(old, new, where, graph)

    def _output(self, sources: tuple[str, ...], path: Path, with_files: bool) -> _Output:
        key = with_files, sources
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._run(sources, path, _STRICT if with_files else _STRICT | _NO_FILES)
        return known

    def _run(self, sources: tuple[str, ...], path: Path, environment: Mapping[str, str]) -> _Output:
        program = shutil.which("ansible-inventory")
        if program is None:
            raise InventoryError(
                str(path),
                "is for an Ansible inventory plugin: install ansible-core, so that ansible-inventory is on PATH",
            )
        options = [word for source in sources for word in ("-i", source)]
        where = " ".join(["ansible-inventory", *options])
        where = where if len(where) <= 300 else f"ansible-inventory with {path} and the sources before it"
        text = run(
            [program, *options, "--list", "--export"], where, cwd=self._cwd, seconds=SECONDS, environment=environment
        )
        return _parse(text, where)


def _parse(text: str, where: str) -> _Output:
    """Return the parsed output. Its keys are sorted, but children are in their order: go from the top down."""
    document = parse_json(text, where)
    top = document.value
    if not isinstance(top, dict):
        raise InventoryError(where, "the output is not a JSON object")
    by_host = _mapping(_mapping(top.get("_meta"), where).get("hostvars"), where)
    found = _Output(variables={host: _mapping(own, where) for host, own in by_host.items()})
    waiting = [ALL, *top]
    while waiting:
        name = waiting.pop(0)
        if name == "_meta" or name in found.groups:
            continue
        body = _mapping(top.get(name), where)
        group = found.groups[name] = _Group(
            _names(body.get("hosts"), where), _names(body.get("children"), where), _mapping(body.get("vars"), where)
        )
        waiting[:0] = group.children
    return found


def _mapping(value: object, where: str) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InventoryError(where, "the output has a list or text where an object is expected")
    return value


def _names(value: object, where: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise InventoryError(where, "the output has an object or text where a list is expected")
    return [str(name) for name in value]


def _check_kept(old: _Output, new: _Output, where: str, graph: Graph) -> None:
    """Raise InventoryError if the plugin removes hosts, or if the earlier sources have changed since they were read."""
    after = new.hosts()
    gone = [host for host in old.hosts() if host not in after]
    if gone:
        raise InventoryError(where, f"removes hosts of earlier sources, which is not supported: {fold(gone)}")
    unknown = [host for host in old.hosts() if host not in graph.hosts]
    if unknown:
        raise InventoryError(where, f"the sources before it have changed, run again: they now name {fold(unknown)}")


def _add_difference(old: _Output, new: _Output, where: str, graph: Graph) -> None:
    """Add the groups, hosts, memberships and variables of ``new`` that ``old`` has not. Raises InventoryError."""
    known = old.hosts()
    for name, group in new.groups.items():
        before = old.groups.get(name)
        if before is None:
            graph.add_group(name, where)
            before = _Group()
        for host in group.hosts:
            # Ansible finds out at the end which hosts are ungrouped, and so does the graph.
            if host not in before.hosts and (name != UNGROUPED or host not in known):
                graph.add_host(host, graph.add_group(name, where), where)
        for child in group.children:
            if child not in before.children and name not in {ALL, UNGROUPED}:
                graph.add_child(graph.add_group(name, where), graph.add_group(child, where), where)
        for key, value in _changed(before.variables, group.variables):
            graph.set_variable(name, key, value, where)
    for host in new.hosts():
        if host not in graph.hosts:
            graph.add_host(host, graph.groups[UNGROUPED], where)
        for key, value in _changed(old.variables.get(host, {}), new.variables.get(host, {})):
            graph.set_host_variable(host, key, value, where)


def _changed(old: Mapping[str, object], new: Mapping[str, object]) -> list[tuple[str, object]]:
    # 1, 1.0 and True are equal in Python.
    return [(key, value) for key, value in new.items() if key not in old or repr(old[key]) != repr(value)]
