"""YAML inventories: groups, their sections, and the line of each value."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.graph import Graph
from fleetsweep.inventory.yaml_file import read_yaml
from fleetsweep.inventory.yaml_text import parse
from tests.inventory.build import graph_of, origins


def read(text: str) -> Graph:
    graph = Graph()
    read_yaml(parse(text, "hosts.yml"), graph)
    return graph


def test_each_value_of_a_yaml_inventory_has_the_line_that_gave_it(tmp_path: Path) -> None:
    text = "all:\n  vars:\n    v: 1\n  hosts:\n    a: &a\n      x: 1\n    b:\n      <<: *a\n      y:\n        - 1\n"
    graph = graph_of(tmp_path, hosts_yml=text)
    assert origins(graph, tmp_path, "b") == {"v": "hosts.yml:3", "x": "hosts.yml:6", "y": "hosts.yml:9"}
    assert graph.hosts["b"].where == f"{tmp_path}/hosts.yml:7"


def test_an_empty_file_adds_nothing() -> None:
    assert not read("").hosts


def test_a_range_sets_its_variables_and_its_port_on_each_host() -> None:
    graph = read("web: {hosts: {'web-[1:2]:2222': {v: x}}}\n")
    assert {name: entry.variables for name, entry in graph.hosts.items()} == {
        "web-1": {"ansible_port": 2222, "v": "x"},
        "web-2": {"ansible_port": 2222, "v": "x"},
    }


def test_a_section_may_be_a_single_name() -> None:
    graph = read("web:\n  hosts: a\n  children: db\n")
    assert (list(graph.groups["web"].hosts), list(graph.groups["web"].children)) == (["a"], ["db"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "hosts.yml: has no groups at the top level: start with 'all:'"),
        ("all:\n  host:\n    a:\n", "hosts.yml:2: unknown key 'host' in all"),
        ("all:\n  hosts:\n    - a\n", "hosts.yml:2: hosts of all is not a mapping: end each name with ':'"),
        ("all:\n  hosts:\n    7:\n", "hosts.yml:3: 7 is not a host name: quote it"),
        ("all:\n  hosts:\n    a: x\n", "hosts.yml:3: host a is not a mapping of variables"),
        ("web: 1\n", "hosts.yml:1: group web is not a mapping"),
    ],
)
def test_another_structure_is_an_error_that_says_what_to_write(text: str, message: str) -> None:
    with pytest.raises(InventoryError, match=message):
        read(text)
