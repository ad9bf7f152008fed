"""Where each value was found, what is warned of, and that nothing grows without bound."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory import files, load, yaml_text
from fleetsweep.inventory.files import Warnings
from fleetsweep.inventory.graph import Graph
from fleetsweep.inventory.ranges import expand
from fleetsweep.inventory.sources import read_sources
from fleetsweep.inventory.values import VaultValue, jsonable
from fleetsweep.inventory.yaml_text import parse


def graph_of(root: Path, **texts: str) -> Graph:
    """A graph of the file hosts or hosts_yml; the others lie beside it."""
    for name, text in texts.items():
        path = root / name.replace("__", "/").replace("_yml", ".yml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    source = root / ("hosts" if "hosts" in texts else "hosts.yml")
    return read_sources([str(source)], cwd=root, warnings=Warnings())


def origins(graph: Graph, root: Path, host: str) -> dict[str, str]:
    return {key: place.removeprefix(f"{root}/") for key, place in graph.variables_of(host)[1].items()}


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


def test_each_value_of_a_yaml_inventory_has_the_line_that_gave_it(tmp_path: Path) -> None:
    text = "all:\n  vars:\n    v: 1\n  hosts:\n    a: &a\n      x: 1\n    b:\n      <<: *a\n      y:\n        - 1\n"
    graph = graph_of(tmp_path, hosts_yml=text)
    assert origins(graph, tmp_path, "b") == {"v": "hosts.yml:3", "x": "hosts.yml:6", "y": "hosts.yml:9"}
    assert graph.hosts["b"].where == f"{tmp_path}/hosts.yml:7"


def test_variable_files_of_hosts_that_nobody_asks_for_are_not_read(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, hosts="a\nb\n", host_vars__b_yml="- no variables\n")
    assert graph.variables_of("a")[0] == {}
    with pytest.raises(InventoryError, match=r"b\.yml"):
        graph.variables_of("b")


def test_what_everybody_may_write_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text("v: 1\n")
    (tmp_path / "hosts").write_text("a\n")
    for path in ("hosts", "group_vars/all.yml", "group_vars", "."):
        (tmp_path / path).chmod(0o777 if (tmp_path / path).is_dir() else 0o666)
    inventory = load([str(tmp_path / "hosts")], cwd=Path("/"))
    inventory.hosts()
    expected = [tmp_path, tmp_path / "hosts", tmp_path / "group_vars", tmp_path / "group_vars" / "all.yml"]
    assert list(inventory.warnings) == [f"{path}: is world-writable: chmod o-w" for path in expected]


def test_an_inventory_that_only_its_owner_may_write_is_no_warning(tmp_path: Path) -> None:
    graph_of(tmp_path, hosts="a\n", group_vars__all_yml="v: 1\n")
    inventory = load([str(tmp_path / "hosts")], cwd=tmp_path)
    inventory.hosts()
    assert inventory.warnings == ()


def test_an_encrypted_variable_file_is_warned_of_and_left_out(tmp_path: Path) -> None:
    graph_of(tmp_path, hosts="a\n", group_vars__all_yml="$ANSIBLE_VAULT;1.1;AES256\n3332\n")
    inventory = load([str(tmp_path / "hosts")], cwd=tmp_path)
    assert [host.name for host in inventory.hosts()] == ["a"]
    assert "all.yml: is encrypted with Ansible Vault" in inventory.warnings[0]


def test_a_vaulted_value_is_kept_and_not_shown(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, hosts_yml="g: {hosts: {a: }, vars: {s: !vault secret, d: 2020-01-02, l: [!vault x]}}\n")
    variables = graph.variables_of("a")[0]
    assert variables["s"] == VaultValue("secret")
    assert "secret" not in repr(variables)
    assert jsonable(variables) == {
        "s": {"__ansible_vault": "secret"},
        "d": "2020-01-02",
        "l": [{"__ansible_vault": "x"}],
    }


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    assert list(graph_of(tmp_path, hosts="\ufeffa\n").hosts) == ["a"]


MERGES = "a: &a {" + ", ".join(f"k{n}: 1" for n in range(999)) + "}\n"
MERGES += "".join(f"b{n}: {{<<: *a}}\n" for n in range(3000))
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 10)}]\n" for below, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "hosts.yml:7: the file has more than 2000000 values"),
        (MERGES, "more than 2000000 values"),
        ("[" * 200_000, "nested more than 100"),
        ("- " * 200_000 + "x", "nested more than 100"),
        ("{a: " * 200_000, "nested more than 100"),
        ("? " * 200_000, "nested more than 100"),
        ('{"a": ' * 200_000 + "1" + "}" * 200_000, "nested"),
        ("{" * 5000, "nested"),
    ],
    ids=["aliases", "merges", "lists", "block-lists", "mappings", "keys", "json", "braces"],
)  # fmt: skip
def test_a_yaml_bomb_is_refused_in_bounded_memory(text: str, says: str) -> None:
    with pytest.raises(InventoryError, match=says):
        parse(text, "hosts.yml")


def test_a_file_of_more_values_than_any_fleet_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_text, "NODE_LIMIT", 1000)
    with pytest.raises(InventoryError, match=r"hosts.yml:1000: .*more than 1000 values"):
        parse("- x\n" * 5000, "hosts.yml")


@pytest.mark.parametrize(
    "pattern", ["a[1:999999999]", "a[0:999]b[0:999]", "a[1:100000]b[1:2]", "a[1:9999999999999999999]"]
)
def test_a_range_of_more_hosts_than_any_fleet_has_is_refused(pattern: str) -> None:
    with pytest.raises(InventoryError, match=r"more than 100000 hosts|not a range"):
        expand(pattern, "hosts:1")


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


def test_a_file_that_is_too_large_or_no_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InventoryError, match="pipe: is not a regular file"):
        load([str(tmp_path / "pipe")], cwd=tmp_path)
    monkeypatch.setattr(files, "SIZE_LIMIT", 100)
    (tmp_path / "hosts").write_text("a\n" * 100)
    with pytest.raises(InventoryError, match="hosts: is larger than"):
        load([str(tmp_path / "hosts")], cwd=tmp_path)


def test_a_directory_that_holds_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "again").symlink_to(tmp_path / "d")
    with pytest.raises(InventoryError, match="nested more than 20 deep"):
        load([str(tmp_path / "d")], cwd=tmp_path)


def test_a_link_is_read_beside_its_own_variables(tmp_path: Path) -> None:
    for place in ("real", "other"):
        (tmp_path / place / "group_vars").mkdir(parents=True)
        (tmp_path / place / "group_vars" / "all.yml").write_text(f"place: {place}\n")
    (tmp_path / "real" / "hosts").write_text("a\n")
    (tmp_path / "other" / "hosts").symlink_to(tmp_path / "real" / "hosts")
    (host,) = load([str(tmp_path / "other" / "hosts")], cwd=Path("/")).hosts()
    assert host.variables["place"] == "other"


def test_a_source_may_be_relative_to_home_or_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hosts").write_text("a\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for source in ("~/hosts", "$HOME/hosts", "hosts", str(tmp_path / "x" / ".." / "hosts")):
        assert load([source], cwd=tmp_path).names == ("a",)
    with pytest.raises(InventoryError, match="the path of an inventory is empty"):
        load([""], cwd=tmp_path)
