"""group_vars/ and host_vars/: which files are read, when, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory import load
from fleetsweep.inventory.files import Warnings
from fleetsweep.inventory.variable_files import VariableFiles
from tests.inventory.build import graph_of


def files(root: Path, **texts: str) -> VariableFiles:
    """Return the variable files of group web, written with these names."""
    (root / "group_vars").mkdir()
    for name, text in texts.items():
        path = root / "group_vars" / name.replace("__", "/").replace("_yml", ".yml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return VariableFiles(root, Warnings())


def test_variable_files_of_hosts_that_are_not_requested_are_not_read(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, hosts="a\nb\n", host_vars__b_yml="- no variables\n")
    assert graph.variables_of("a")[0] == {}
    with pytest.raises(InventoryError, match=r"b\.yml"):
        graph.variables_of("b")


def test_an_encrypted_variable_file_is_warned_of_and_left_out(tmp_path: Path) -> None:
    graph_of(tmp_path, hosts="a\n", group_vars__all_yml="$ANSIBLE_VAULT;1.1;AES256\n3332\n")
    inventory = load([str(tmp_path / "hosts")], cwd=tmp_path)
    assert [host.name for host in inventory.hosts()] == ["a"]
    assert "all.yml: is encrypted with Ansible Vault" in inventory.warnings[0]


def test_of_several_names_of_a_group_only_the_first_is_read(tmp_path: Path) -> None:
    (layer,) = files(tmp_path, web="v: 1\n", web_yml="v: 2\n").of_group("web")
    assert layer == ({"v": 1}, {"v": f"{tmp_path}/group_vars/web:1"})


def test_a_directory_of_a_group_is_read_by_name_without_hidden_and_backup_files(tmp_path: Path) -> None:
    found = files(tmp_path, web__b_yml="v: 2\n", web__a="v: 1\n", **{"web__.c": "v: 3\n", "web__d~": "v: 4\n"})
    assert [values["v"] for values, _ in found.of_group("web")] == [1, 2]


def test_a_file_is_read_once(tmp_path: Path) -> None:
    found = files(tmp_path, web="v: 1\n")
    before = found.of_group("web")
    (tmp_path / "group_vars" / "web").write_text("v: 2\n")
    assert found.of_group("web") == before


def test_without_files_a_host_has_no_layers(tmp_path: Path) -> None:
    assert VariableFiles(tmp_path, Warnings()).of_host("a") == ()


def test_group_vars_that_is_no_directory_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "group_vars").write_text("v: 1\n")
    warnings = Warnings()
    assert VariableFiles(tmp_path, warnings).of_group("web") == ()
    assert warnings.all() == (f"{tmp_path}/group_vars: is not a directory: no variables are read from it",)
