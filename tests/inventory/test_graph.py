"""Groups and hosts: membership, order, precedence, and bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.graph import ALL, UNGROUPED, Graph
from tests.inventory.build import graph_of


def nested() -> Graph:
    """Group outer with host a, and in it group inner with host b; host c is in no group."""
    graph = Graph()
    outer, inner = graph.add_group("outer", "hosts:1"), graph.add_group("inner", "hosts:2")
    graph.add_child(outer, inner, "hosts:3")
    graph.add_host("b", inner, "hosts:4")
    graph.add_host("a", outer, "hosts:5")
    graph.add_host("c", graph.groups[UNGROUPED], "hosts:6")
    return graph


def test_hosts_beyond_any_fleet_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="more than 250000 hosts"):
        graph_of(tmp_path, hosts="\n".join(f"r{n}[1:99999]" for n in range(9)))


def test_groups_nested_beyond_reason_are_refused(tmp_path: Path) -> None:
    text = "".join(f"[g{n}:children]\ng{n + 1}\n" for n in range(5000)) + "[g5000]\na\n"
    with pytest.raises(InventoryError, match=r"hosts:\d+: groups are nested more than 100 deep"):
        graph_of(tmp_path, hosts=text)


def test_a_circle_of_groups_is_shown_whole(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match=r"hosts:\d: group (a|b|c) is its own descendant: ((a|b|c) > ){3}(a|b|c)$"):
        graph_of(tmp_path, hosts="[a:children]\nb\n[b:children]\nc\n[c:children]\na\n[d]\nx\n")


def test_a_groups_own_hosts_come_before_those_of_its_children() -> None:
    graph = nested()
    graph.seal()
    assert graph.members("outer") == ("a", "b")
    assert set(graph.members(ALL)) == {"a", "b", "c"}


def test_a_host_without_a_group_is_ungrouped() -> None:
    graph = nested()
    graph.seal()
    assert graph.groups_of("b") == ("inner", "outer")
    assert graph.groups_of("c") == (UNGROUPED,)


def test_the_deeper_group_and_then_the_host_win() -> None:
    graph = nested()
    for owner, keys in ((ALL, "wxyz"), ("outer", "xyz"), ("inner", "yz"), ("b", "z")):
        for key in keys:
            graph.set_variable(owner, key, owner, f"hosts:{owner}")
    graph.seal()
    variables, origins = graph.variables_of("b")
    assert variables == {"w": ALL, "x": "outer", "y": "inner", "z": "b"}
    assert origins["y"] == "hosts:inner"


def test_at_one_depth_the_higher_priority_wins() -> None:
    graph = Graph()
    for name in ("one", "two"):
        graph.add_host("a", graph.add_group(name, "hosts:1"), "hosts:1")
        graph.set_variable(name, "v", name, "hosts:1")
    graph.set_variable("one", "ansible_group_priority", "5", "hosts:1")
    graph.seal()
    assert graph.variables_of("a")[0] == {"v": "one"}
    with pytest.raises(InventoryError, match="hosts:9: ansible_group_priority is 'high': write a whole number"):
        graph.set_variable("one", "ansible_group_priority", "high", "hosts:9")


def test_only_the_first_mention_of_a_host_sets_its_port() -> None:
    graph = Graph()
    for port in (2222, 3333):
        graph.add_host("a", graph.groups[UNGROUPED], "hosts:1", port)
    assert graph.hosts["a"].variables == {"ansible_port": 2222}
