"""Compare an inventory as fleetsweep and as Ansible read it."""

from __future__ import annotations

from pathlib import Path

from fleetsweep.inventory.files import Warnings
from fleetsweep.inventory.graph import Graph
from fleetsweep.inventory.sources import read_sources
from tests.inventory.ansible_process import Ansible, Seen, typed


def ordered(graph: Graph, group: str) -> bool:
    """Return whether Ansible has one order for a group's hosts: it follows children level by level, but in sets."""
    seen = {group}
    level = {group}
    while level:
        if sum(bool(graph.groups[name].children) for name in level) > 1:
            return False
        level = {child for name in level for child in graph.groups[name].children} - seen
        seen |= level
    return True


def assert_agreed(ansible: Ansible, sources: list[str], cwd: Path, *, in_order: bool = True) -> Seen:
    """Compare hosts and groups in order, each host's groups, and its variables with their types.

    The order of the groups is compared if ``in_order``.
    """
    seen = ansible.read(sources, cwd=cwd)
    assert seen.error is None
    assert seen.parsed, seen.warnings
    graph = read_sources(sources, cwd=cwd, warnings=Warnings())
    assert list(graph.groups) == list(seen.groups) if in_order else graph.groups.keys() == seen.groups.keys()
    for name, members in seen.groups.items():
        ours = graph.members(name)
        assert (ours if ordered(graph, name) else tuple(sorted(ours))) == (
            members if ordered(graph, name) else tuple(sorted(members))
        ), name
    assert {host: graph.groups_of(host) for host in graph.members("all")} == dict(seen.group_names)
    for host in seen.hosts:
        variables, origins = graph.variables_of(host)
        assert {key: typed(value) for key, value in variables.items()} == seen.variables[host], host
        assert origins.keys() == variables.keys()
    return seen
