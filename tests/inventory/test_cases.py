"""Inventories that once went wrong, each read to its end."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory import load
from tests.inventory.ansible_process import Ansible
from tests.inventory.comparison import assert_agreed
from tests.inventory.test_exclusion import pattern_in

CASES = Path(__file__).parent / "cases"


def test_constructed_groups_addresses_and_ports_are_ansibles(
    ansible: Ansible, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path))
    assert_agreed(ansible, [str(CASES / "constructed")], tmp_path)
    inventory = load([str(CASES / "constructed")], cwd=tmp_path)
    (host,) = inventory.select(["retired"])
    assert (host.name, host.address, host.port, host.groups) == ("runner-2", "10.0.0.2", 2222, ("retired", "role_ci"))
    assert host.variables["fleetsweep_max_age"] == "6h"


def test_a_key_twice_in_a_variable_that_is_not_used_is_a_warning(tmp_path: Path) -> None:
    inventory = load([str(CASES / "dup")], cwd=tmp_path)
    assert [host.name for host in inventory.hosts()] == ["runner-1"]
    assert inventory.warnings == (
        f"{CASES}/dup/group_vars/runners.yml:3: the key 'a' occurs twice in one mapping, first in line 2: "
        "the last value counts, as in Ansible",
    )


def test_a_key_twice_in_a_variable_that_is_used_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(
        "all:\n  hosts:\n    a: {ansible_host: 10.0.0.1, ansible_host: 10.0.0.2}\n"
        "    b: {ansible_host: '{{ net.b }}', net: {b: 10.0.0.3, b: 10.0.0.4}}\n    c: {note: {k: 1, k: 2}}\n"
        "    d: {fleetsweep_cap: 5, fleetsweep_cap: }\n"
    )
    inventory = load(["hosts.yml"], cwd=tmp_path)
    assert [host.name for host in inventory.select(["c"])] == ["c"]
    for name, message in {
        "a": r"hosts\.yml:3: ansible_host of a: the key 'ansible_host' occurs twice .*: remove one",
        "b": r"hosts\.yml:4: net of b: the key 'b' occurs twice",
        "d": r"hosts\.yml:6: fleetsweep_cap of d: the key 'fleetsweep_cap' occurs twice",
    }.items():
        with pytest.raises(InventoryError, match=message):
            inventory.select([name])


def test_hosts_that_are_not_reached_over_ssh_are_named_with_the_limit_that_leaves_them_out(tmp_path: Path) -> None:
    inventory = load([str(CASES / "mixed")], cwd=tmp_path)
    with pytest.raises(InventoryError, match="4 of 6 hosts can't be used: c-1, r-1, sw-1, win-1;") as caught:
        inventory.select()
    assert [host.name for host in inventory.select([pattern_in(caught)])] == ["runner-1", "runner-2"]
    assert len(inventory.select(["runners,!localhost"])) == 2


def test_values_in_an_ini_file_are_typed(ansible: Ansible, tmp_path: Path) -> None:
    assert_agreed(ansible, [str(CASES / "simple.ini")], tmp_path)


def test_encrypted_values_of_many_hosts_are_one_entry(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(
        "all:\n  hosts:\n    runner-[01:40]: {ansible_user: !vault '$ANSIBLE_VAULT;1.1;AES256'}\n    plain:\n"
    )
    with pytest.raises(InventoryError, match=r"add --limit '!runner-\*' to leave them out") as caught:
        load(["hosts.yml"], cwd=tmp_path).select()
    assert str(caught.value).endswith(
        "hosts.yml:3: ansible_user of runner-[01-40] is encrypted with Ansible Vault: fleetsweep needs the plain value"
    )
