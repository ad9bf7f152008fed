"""Configurations of inventory plugins, read through ansible-inventory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory import load
from fleetsweep.inventory.files import Warnings
from fleetsweep.inventory.sources import read_sources
from tests.inventory.ansible_process import Ansible

PLUGIN = """\
plugin: ansible.builtin.generator
hosts: {name: "box-{{ place }}", parents: [{name: "in_{{ place }}", parents: [{name: sites}],
  vars: {place: "{{ place }}"}}]}
layers: {place: [north, south]}
"""


def test_a_plugin_configuration_goes_through_ansible_inventory(
    ansible: Ansible, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "home"))
    (tmp_path / "fleet.yml").write_text(PLUGIN)
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "sites.yml").write_text("v: 1\nplace: nowhere\n")
    sources = [str(tmp_path / "fleet.yml")]
    seen = ansible.ask(sources, cwd=tmp_path)
    graph = read_sources(sources, cwd=tmp_path, warnings=Warnings())
    assert set(graph.members("all")) == set(seen.hosts) == {"box-north", "box-south"}
    assert {host: graph.groups_of(host) for host in seen.hosts} == seen.group_names
    assert {host: graph.variables_of(host)[0].keys() for host in seen.hosts} == {
        host: variables.keys() for host, variables in seen.variables.items()
    }


def test_a_plugin_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "home"))
    (tmp_path / "fleet.yml").write_text("plugin: no_such_plugin\n")
    with pytest.raises(InventoryError, match=r"ansible-inventory -i .*fleet\.yml: exited with status 1"):
        load([str(tmp_path / "fleet.yml")], cwd=tmp_path)


def test_without_ansible_a_plugin_configuration_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "fleet.yml").write_text(PLUGIN)
    with pytest.raises(InventoryError, match=r"fleet\.yml: .*install ansible-core"):
        load([str(tmp_path / "fleet.yml")], cwd=tmp_path)
