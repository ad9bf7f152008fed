"""INI inventories: sections, types of values, and the line of each value."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.graph import UNGROUPED, Graph
from fleetsweep.inventory.ini import LITERAL_LIMIT, literal, read_ini
from tests.inventory.build import graph_of, origins


def test_each_value_of_an_ini_inventory_has_the_line_that_gave_it(tmp_path: Path) -> None:
    graph = graph_of(
        tmp_path,
        hosts="[g]\na:22 x=1\n\n[g:vars]\ny=1\nx=0\n",
        group_vars__g_yml="# first\ny: 2\n",
        host_vars__a_yml="z: 1\n",
    )
    assert origins(graph, tmp_path, "a") == {
        "ansible_port": "hosts:2",
        "x": "hosts:2",
        "y": "group_vars/g.yml:2",
        "z": "host_vars/a.yml:1",
    }
    assert graph.hosts["a"].where == f"{tmp_path}/hosts:2"


def test_sections_may_come_in_any_order() -> None:
    graph = Graph()
    read_ini("lone\n[p:children]\nc\n[c:vars]\nv=1\n[c]\na\n", "hosts", graph)
    assert list(graph.groups["p"].children) == ["c"]
    assert graph.groups["c"].variables == {"v": 1}
    assert "lone" in graph.groups[UNGROUPED].hosts


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("01", "01"),
        ("yes", "yes"),
        ("True", True),
        ("['a', 2]", ["a", 2]),
        ("1.5", 1.5),
        ("10.0.0.1", "10.0.0.1"),
    ],
)
def test_a_value_is_a_python_literal_or_else_text(text: str, value: object) -> None:
    found = literal(text, "hosts:1")
    assert (type(found), found) == (type(value), value)


def test_a_very_long_value_is_not_parsed() -> None:
    text = "[" + "1," * LITERAL_LIMIT + "]"
    assert literal(text, "hosts:1") == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[p:children]\nc\n", r"hosts:2: \[p:children\] names c, which is not a group"),
        ("[g:vars]\nv=1\n", r"hosts:1: \[g:vars\] is for a group that is not declared"),
        ("[g:vars]\nv\n[g]\n", "hosts:2: 'v' is not a variable: write key=value"),
        ("a v\n", "hosts:1: 'v' is not a variable: write key=value"),
        ("[a group]\n", r"hosts:1: '\[a group\]' is not a section"),
        ("a v='x\n", "hosts:1: No closing quotation: check the quotes"),
    ],
)
def test_a_line_that_ansible_could_not_use_is_an_error_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InventoryError, match=message):
        read_ini(text, "hosts", Graph())
