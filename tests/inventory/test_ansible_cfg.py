"""Warnings about Ansible's configuration, which is not read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory import load
from fleetsweep.inventory.ansible_cfg import DECIDING, DEFAULT_IGNORED, SETTINGS, AnsibleConfig, config_file
from tests.inventory.test_cases import CASES


@pytest.fixture(autouse=True)
def no_other_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for setting in (*SETTINGS, *DECIDING):
        monkeypatch.delenv(setting.environment, raising=False)


def warned(root: Path, config: str, hosts: str = "a\n", environ: Mapping[str, str] | None = None) -> str:
    """Return the warning about this configuration for these hosts, without its path."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (environ or {}).items():
            patch.setenv(name, value)
        (root / "ansible.cfg").write_text(config)
        (root / "hosts").write_text(hosts)
        inventory = load(["hosts"], cwd=root)
        inventory.select()
    return " | ".join(
        text.replace(f"{root}/ansible.cfg: Ansible's configuration is not read: ", "") for text in inventory.warnings
    )


def test_a_configuration_that_decides_how_hosts_are_reached_is_named(tmp_path: Path) -> None:
    inventory = load(["prod.ini"], cwd=CASES / "cfg")
    (host,) = inventory.select()
    assert (host.user, host.key_file, host.proxy_jump) == (None, None, None)
    assert inventory.warnings == (
        f"{CASES}/cfg/ansible.cfg: Ansible's configuration is not read: set in the inventory what these hosts need of "
        "remote_user (ansible_user), private_key_file (ansible_ssh_private_key_file), ssh_args (ansible_ssh_args); "
        "host_key_checking, hash_behaviour have no effect",
    )


NEED = "set in the inventory what these hosts need of "


@pytest.mark.parametrize(
    ("config", "hosts", "warning"),
    [
        ("[defaults]\nremote_user = ci\n", "a\n", NEED + "remote_user (ansible_user)"),
        ("[defaults]\nremote_user = ci ; the runner's\n", "a ansible_user=x\n", ""),
        ("[defaults]\nremote_user = ci\n", "a ansible_user=x\nb\n", NEED + "remote_user (ansible_user)"),
        ("[defaults]\nremote_user = ci\nremote_port = 22\n", "a ansible_connection=local\n", ""),
        ("[defaults]\nremote_port = 2222\n", "a\n", NEED + "remote_port (ansible_port)"),
        ("[defaults]\nprivate_key_file = k\n", "a ansible_ssh_private_key_file=k\n", ""),
        ("[defaults]\ntransport = smart\n", "a\n", ""),
        ("[defaults]\ntransport = winrm\n", "a\n", NEED + "transport (ansible_connection)"),
        ("[ssh_connection]\nssh_args = -C -o ControlMaster=auto -o ControlPersist=60s\n", "a\n", ""),
        ("[ssh_connection]\nssh_args = -J bastion\n", "a\n", NEED + "ssh_args (ansible_ssh_args)"),
        ("[ssh_connection]\nssh_common_args = -J bastion\n", "a ansible_ssh_common_args='-J b'\n", ""),
        ("[ssh_connection]\nssh_extra_args = -p 1 -A\n", "a\n", NEED + "ssh_extra_args (ansible_ssh_extra_args)"),
        ("[privilege_escalation]\nbecome = True\n", "a\n", NEED + "become (ansible_become)"),
        ("[privilege_escalation]\nbecome = no\n", "a\n", ""),
        ("[defaults]\nhost_key_checking = False\n", "a\n", "host_key_checking has no effect"),
        ("[defaults]\nhost_key_checking = True\nhash_behaviour = replace\nforks = 50\n", "a\n", ""),
        ("[inventory]\nenable_plugins = toml, aws_ec2,host_list, script, ansible.builtin.auto, yaml, ini\n", "a\n", ""),
        ("", "a\n", ""),
    ],
)
def test_only_what_would_change_a_selected_host_is_named(tmp_path: Path, config: str, hosts: str, warning: str) -> None:
    assert warned(tmp_path, config, hosts) == warning


def read(root: Path, config: str, *sources: str) -> int:
    """Load sources below a configuration; return how many hosts there are."""
    (root / "ansible.cfg").write_text(config)
    (root / "d").mkdir(exist_ok=True)
    (root / "d" / "hosts").write_text("a\n")
    (root / "d" / "draft").write_text("b\n")
    return len(load(sources, cwd=root).names)


@pytest.mark.parametrize(
    ("config", "source", "message"),
    [
        (
            "[inventory]\nignore_patterns = draft\n",
            "d",
            "ignore_patterns decides which files of {root}/d are inventories",
        ),
        ("[defaults]\ninventory_ignore_extensions = .x\n", "d", "inventory_ignore_extensions decides"),
        (
            "[inventory]\nenable_plugins = yaml, script\n",
            "d/hosts",
            "enable_plugins leaves out ini, as which {root}/d/hosts",
        ),
        ("[inventory]\nenable_plugins = ini\n", "a,b", "enable_plugins leaves out host_list, as which a,b was read"),
    ],
)
def test_a_setting_that_decides_which_hosts_there_are_is_an_error_with_both_ways_out(
    tmp_path: Path, config: str, source: str, message: str
) -> None:
    with pytest.raises(InventoryError) as caught:
        read(tmp_path, config, source)
    text = str(caught.value)
    assert text.startswith(f"{tmp_path}/ansible.cfg: {message.format(root=tmp_path)}")
    assert "with -i, or remove the setting" in text


@pytest.mark.parametrize(
    ("config", "source", "hosts"),
    [
        ("[inventory]\nignore_patterns = draft\n", "d/hosts", 1),
        (f"[inventory]\nignore_extensions = {', '.join(DEFAULT_IGNORED)}\n", "d", 2),
        ("[inventory]\nenable_plugins = aws_ec2, ansible.builtin.ini\n", "d", 2),
        ("[inventory]\nignore_patterns =\n", "d", 2),
    ],
)
def test_one_that_changes_nothing_of_what_was_read_is_no_error(
    tmp_path: Path, config: str, source: str, hosts: int
) -> None:
    assert read(tmp_path, config, source) == hosts


def test_the_environment_decides_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_INVENTORY_IGNORE_REGEX", "draft")
    with pytest.raises(InventoryError, match=r"^environment: ANSIBLE_INVENTORY_IGNORE_REGEX decides"):
        read(tmp_path, "", "d")


def test_what_is_not_read_is_listed_with_what_to_write() -> None:
    found = AnsibleConfig(CASES / "cfg", {"ANSIBLE_REMOTE_USER": "ci"}).unread()
    assert {(each.name, each.value, each.instead) for each in found} == {
        ("inventory", "prod.ini", "-i prod.ini"),
        (
            "private_key_file",
            "~/.ssh/deploy",
            "ansible_ssh_private_key_file=~/.ssh/deploy, or --private-key ~/.ssh/deploy",
        ),
        ("ssh_args", "", "ansible_ssh_args=…"),
        ("host_key_checking", "False", "nothing: host keys are always verified"),
        ("hash_behaviour", "", "nothing: it has no effect"),
        ("enable_plugins", "", "nothing: it has no effect"),
        ("ignore_patterns", "", "nothing: it has no effect"),
        ("ANSIBLE_REMOTE_USER", "ci", "ansible_user=ci, or --user ci"),
    }


def test_the_environment_is_named_where_it_overrides_the_file(tmp_path: Path) -> None:
    text = warned(tmp_path, "[defaults]\nremote_user = ci\n", environ={"ANSIBLE_REMOTE_USER": "deploy"})
    assert text == "environment: Ansible's configuration is not read: " + NEED + "ANSIBLE_REMOTE_USER (ansible_user)"


def test_an_invalid_configuration_is_named(tmp_path: Path) -> None:
    (warning,) = warned(tmp_path, "remote_user = ci\n").split(" | ")
    assert warning.endswith("is not valid: check whether it sets users or keys")


def test_values_which_may_be_secret_are_not_shown(tmp_path: Path) -> None:
    assert "hunter2" not in warned(
        tmp_path, "[ssh_connection]\nssh_args = -o ProxyCommand='sshpass -p hunter2 ssh b'\n"
    )


def test_the_file_is_the_one_that_ansible_would_read(tmp_path: Path) -> None:
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    assert config_file(work, {}) in {None, Path("/etc/ansible/ansible.cfg")}
    (home / ".ansible.cfg").touch()
    assert config_file(work, {}) == home / ".ansible.cfg"
    (work / "ansible.cfg").touch()
    assert config_file(work, {}) == work / "ansible.cfg"
    (tmp_path / "ansible.cfg").touch()
    for given in ("..", "../ansible.cfg", str(tmp_path)):
        assert config_file(work, {"ANSIBLE_CONFIG": given}) == work / (
            given if "cfg" in given else f"{given}/ansible.cfg"
        )
    assert config_file(work, {"ANSIBLE_CONFIG": "none"}) == work / "ansible.cfg"
    work.chmod(0o777)
    assert config_file(work, {}) == home / ".ansible.cfg"
