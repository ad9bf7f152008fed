"""Configurations of inventory plugins, read through ansible-inventory."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory import load
from fleetsweep.inventory.files import Warnings
from fleetsweep.inventory.sources import read_sources
from tests.inventory.ansible_process import Ansible
from tests.inventory.comparison import assert_agreed
from tests.inventory.constructed_cases import CONSTRUCTED, HEAD
from tests.inventory.corpus import Case
from tests.inventory.differences import named_in_docs
from tests.inventory.test_cases import CASES


@pytest.fixture(autouse=True)
def program_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Find ansible-inventory where this Python's packages are."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("case", CONSTRUCTED, ids=lambda case: case.rule.replace(" ", "-"))
def test_a_plugin_builds_on_the_sources_before_it_as_in_ansible(ansible: Ansible, tmp_path: Path, case: Case) -> None:
    sources, cwd = case.lay(tmp_path)
    assert_agreed(ansible, sources, cwd, in_order="parent" not in "".join(map(str, case.files.values())))


def test_the_groups_of_a_plugin_are_in_the_order_of_the_tree(ansible: Ansible, tmp_path: Path) -> None:
    assert "plugin-order" in named_in_docs()
    (tmp_path / "1.ini").write_text("a role=x\n")
    (tmp_path / "2.yml").write_text(HEAD + "keyed_groups: [{key: role, prefix: r, parent_group: roles}]\n")
    sources = [str(tmp_path / name) for name in ("1.ini", "2.yml")]
    graph = read_sources(sources, cwd=tmp_path, warnings=Warnings())
    assert list(graph.groups) == ["all", "ungrouped", "roles", "r_x"]
    assert list(ansible.read(sources, cwd=tmp_path).groups) == ["all", "ungrouped", "r_x", "roles"]


def test_toml_is_read_whatever_plugins_ansible_enables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_CONFIG", str(CASES / "cfg" / "ansible.cfg"))
    source = [str(CASES / "cfg" / "p")]
    assert read_sources(source, cwd=tmp_path, warnings=Warnings()).members("all") == ("t1",)
    with pytest.raises(InventoryError, match="enable_plugins leaves out toml"):
        load(source, cwd=tmp_path)


def test_an_expression_that_fails_in_a_strict_configuration_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "1.ini").write_text("a\n")
    (tmp_path / "2.yml").write_text(HEAD + "strict: true\ngroups: {x: missing == 1}\n")
    with pytest.raises(InventoryError, match=r"exited with status 1: .*'missing' is undefined"):
        load(["1.ini", "2.yml"], cwd=tmp_path)


def test_a_duplicate_key_in_a_configuration_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "2.yml").write_text(HEAD + "groups: {x: true, x: false}\n")
    with pytest.raises(InventoryError, match=r"2\.yml:2: the key 'x' occurs twice"):
        load(["2.yml"], cwd=tmp_path)


def outputs(root: Path, before: object, after: object) -> None:
    """Put a program in the place of ansible-inventory, with one output for one source and one for two."""
    path = root / "bin" / "ansible-inventory"
    path.parent.mkdir()
    texts = [json.dumps(before), json.dumps(after)]
    path.write_text(f"#!{sys.executable}\nimport sys\nprint({texts}[sys.argv.count('-i') - 1])\n")
    path.chmod(0o755)


A, B = ({"all": {"children": ["ungrouped"]}, "ungrouped": {"hosts": hosts}} for hosts in (["a"], ["a", "b"]))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (B, A, "removes hosts of earlier sources, which is not supported: b"),
        (B, B, "the sources before it have changed, run again: they now name b"),
        (A, [], "the output is not a JSON object"),
        (A, {"all": []}, "a list or text where an object is expected"),
        (A, {"all": {"children": "x"}}, "an object or text where a list is expected"),
        (A, A | {"_meta": {"hostvars": []}}, "a list or text where an object is expected"),
        (A, A | {"ungrouped": {"hosts": ["a", "-x"]}}, "'-x' is not a host name"),
        (A, A | {"_meta": []}, "a list or text where an object is expected"),
    ],
)
def test_an_output_that_can_not_be_taken_over_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: object, after: object, message: str
) -> None:
    outputs(tmp_path, before, after)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "1.ini").write_text("a\n")
    (tmp_path / "2.yml").write_text(HEAD)
    with pytest.raises(InventoryError, match=message):
        load(["1.ini", "2.yml"], cwd=tmp_path)


PLUGIN = """\
plugin: ansible.builtin.generator
hosts: {name: "box-{{ place }}", parents: [{name: "in_{{ place }}", parents: [{name: sites}],
  vars: {place: "{{ place }}"}}]}
layers: {place: [north, south]}
"""


def test_a_plugin_configuration_goes_through_ansible_inventory(ansible: Ansible, tmp_path: Path) -> None:
    (tmp_path / "fleet.yml").write_text(PLUGIN)
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "sites.yml").write_text("v: 1\nplace: nowhere\n")
    sources = [str(tmp_path / "fleet.yml")]
    seen = ansible.read(sources, cwd=tmp_path)
    graph = read_sources(sources, cwd=tmp_path, warnings=Warnings())
    assert set(graph.members("all")) == set(seen.hosts) == {"box-north", "box-south"}
    assert {host: graph.groups_of(host) for host in seen.hosts} == seen.group_names
    assert {host: graph.variables_of(host)[0].keys() for host in seen.hosts} == {
        host: variables.keys() for host, variables in seen.variables.items()
    }


def test_a_plugin_that_fails_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "fleet.yml").write_text("plugin: no_such_plugin\n")
    with pytest.raises(InventoryError, match=r"ansible-inventory -i .*fleet\.yml: exited with status 1"):
        load([str(tmp_path / "fleet.yml")], cwd=tmp_path)


def test_without_ansible_the_error_of_a_plugin_configuration_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "fleet.yml").write_text(PLUGIN)
    with pytest.raises(InventoryError, match=r"fleet\.yml: .*install ansible-core"):
        load([str(tmp_path / "fleet.yml")], cwd=tmp_path)
