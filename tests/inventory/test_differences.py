"""Each difference from Ansible that docs/inventory.md names is one that a test shows, and the other way round."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory import load
from fleetsweep.inventory.host_vars import to_host, unused
from fleetsweep.model.host import Host
from tests.inventory import limit_cases, refusals
from tests.inventory.differences import named_in_docs

# What Ansible takes, one way or another, and fleetsweep refuses by the variable's name.
REFUSED: list[tuple[str, dict[str, object]]] = [
    ("unknown-setting", {"fleetsweep_max_aeg": "2h"}),
    ("unknown-setting", {"fleetsweep_fleet_cap": 5}),
    ("checked-values", {"ansible_host": "a;b"}),
    ("checked-values", {"ansible_port": 65536}),
    ("checked-values", {"ansible_user": "$(id)"}),
    ("checked-values", {"ansible_ssh_private_key_file": "~/%h"}),
    ("ssh-options", {"ansible_ssh_common_args": "-o BindAddress=10.0.0.1"}),
    ("ssh-options", {"ansible_ssh_extra_args": "-W %h:%p"}),
    ("ssh-executable", {"ansible_ssh_executable": "/opt/bin/wrapper"}),
    ("inline-key", {"ansible_ssh_private_key": "-----BEGIN OPENSSH PRIVATE KEY-----"}),
    ("connection-kinds", {"ansible_connection": "winrm"}),
    ("become-ways", {"ansible_become": True, "ansible_become_method": "su"}),
    ("become-ways", {"ansible_become": True, "ansible_become_user": "postgres"}),
    ("templates", {"ansible_host": "{{ lookup('env', 'HOME') }}"}),
    ("templates", {"ansible_user": "{{ 'a' | b64encode }}"}),
]
UNUSED = [
    ("passwords", "ansible_password", "hunter2"),
    ("passwords", "ansible_become_password", "hunter2"),
    ("host-keys", "ansible_host_key_checking", False),
]
OWN_TESTS = {"ansible-cfg", "plugin-order", "vault"}


def reached(variables: dict[str, object]) -> Host:
    return to_host("web-1", variables, {}, ("web",), "hosts:1", "unix:///var/run/docker.sock")


@pytest.mark.parametrize(("difference", "variables"), REFUSED)
def test_a_variable_that_means_more_to_ansible_is_refused_by_its_name(
    difference: str, variables: dict[str, object]
) -> None:
    assert difference in named_in_docs()
    with pytest.raises(InventoryError, match=[*variables][-1]):
        reached(variables)


@pytest.mark.parametrize(("difference", "variable", "value"), UNUSED)
def test_a_variable_that_only_ansible_would_use_changes_nothing_and_is_reported(
    difference: str, variable: str, value: object
) -> None:
    assert difference in named_in_docs()
    plain, given = reached({}), reached({variable: value})
    assert (given.user, given.key_file, given.become) == (plain.user, plain.key_file, plain.become)
    assert [name for name, _ in unused({variable: value})] == [variable]


def test_ansibles_own_configuration_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ansible.cfg").write_text("[defaults]\nremote_user=root\nprivate_key_file=/k\ninventory=other\n")
    monkeypatch.setenv("ANSIBLE_REMOTE_USER", "root")
    (tmp_path / "hosts").write_text("a\n")
    (host,) = load(["hosts"], cwd=tmp_path).hosts()
    assert (host.user, host.key_file) == (None, None)


def test_what_is_vaulted_is_an_error_only_where_it_is_needed_and_a_whole_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(
        "all:\n  hosts:\n    a: {note: !vault '$ANSIBLE_VAULT;1.1;AES256'}\n"
        "    b: {ansible_user: !vault '$ANSIBLE_VAULT;1.1;AES256'}\n"
    )
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n3332\n")
    inventory = load(["hosts.yml"], cwd=tmp_path)
    assert [host.name for host in inventory.select(["a"])] == ["a"]
    assert "encrypted with Ansible Vault" in " ".join(inventory.warnings)
    with pytest.raises(InventoryError, match=r"hosts\.yml:4: ansible_user of b is encrypted"):
        inventory.select(["b"])


def test_the_table_names_what_the_tests_show_and_nothing_else() -> None:
    shown = limit_cases.EXERCISED | OWN_TESTS | {"unusable-source"}  # those of refusals.BOTH
    shown |= {refusal.difference for refusal in refusals.DIFFERENT}
    shown |= {difference for difference, _ in REFUSED} | {difference for difference, *_ in UNUSED}
    assert refusals.BOTH
    assert shown == named_in_docs()
