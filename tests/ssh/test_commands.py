"""The shell commands that remedies hold. tests/system/test_remedies.py runs them."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from fleetsweep.model.host import Host
from fleetsweep.ssh.commands import on_machine, probe, scan, scan_certificates, ssh_words
from fleetsweep.ssh.options import SshOptions
from fleetsweep.ssh.route import Hop, find_route

CONFIG = """
Host outer
 HostName 10.0.0.1
 User ann
 Port 2201
Host inner
 HostName 10.0.0.2
 User root
 ProxyJump outer
Host proxied
 ProxyCommand nc %h %p
Host aliased
 HostKeyAlias runner
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "my config").write_text(CONFIG)
    return tmp_path / "my config"


def hop(config: Path, name: str, jump: str | None = None) -> Hop:
    host = Host(name, name, user="ci", proxy_jump=jump)
    return find_route(host, SshOptions(ssh_config=str(config))).target


def test_a_machine_has_its_name_of_the_configuration_where_ssh_finds_its_keys(config: Path) -> None:
    box = hop(config, "box", "inner")
    assert ssh_words(box) == ["ssh", "-F", str(config), "-J", "ann@outer:2201,root@inner:22", "ssh://ci@box:22"]
    assert shlex.split(on_machine(box.before[1], "sudo sshd -T | grep x")) == [
        *("ssh", "-F", str(config), "-J", "ann@outer:2201", "ssh://root@inner:22", "sshd -T | grep x")
    ]
    assert shlex.split(on_machine(box.before[0], "sudo sshd -T"))[-1] == "sudo sshd -T"


def test_known_hosts_that_were_named_are_named_to_ssh(config: Path) -> None:
    options = SshOptions(ssh_config=str(config), known_hosts=("/a b", "/c"))
    words = ssh_words(find_route(Host("box", "box"), options).target)
    assert words[words.index("-o") + 1] == 'UserKnownHostsFile="/a b" "/c"'


def test_bastions_get_the_known_hosts_that_were_named_too(config: Path) -> None:
    options = SshOptions(ssh_config=str(config), known_hosts=("/a b%",))
    box = find_route(Host("box", "box", user="ci", proxy_jump="inner"), options).target
    words = ssh_words(box)
    command = words[words.index("-o") + 1].removeprefix("ProxyCommand=")
    assert words[-3:] == ["-o", 'UserKnownHostsFile="/a b%"', "ssh://ci@box:22"]
    # As ssh passes it to a shell.
    inner = shlex.split(command.replace("%%", "%"))
    assert inner[-5:] == ["-o", 'UserKnownHostsFile="/a b%"', "ssh://root@inner:22", "-W", "[%h]:%p"]
    first = shlex.split(inner[inner.index("-o") + 1].removeprefix("ProxyCommand=").replace("%%", "%"))
    assert first[-5:] == ["-o", 'UserKnownHostsFile="/a b%"', "ssh://ann@outer:2201", "-W", "[%h]:%p"]


def test_keys_are_scanned_from_the_last_bastion_under_the_name_that_is_looked_up(config: Path) -> None:
    assert scan(hop(config, "box")) == "ssh-keyscan -p 22 box"
    assert probe(hop(config, "box")) == "timeout 5 bash -c 'exec < /dev/tcp/$0/$1 && echo connected' box 22"
    assert scan(hop(config, "aliased")) == "ssh-keyscan -p 22 aliased | sed 's|^[^# ]*|runner|'"
    assert scan_certificates(hop(config, "aliased")) == "ssh-keyscan -c -p 22 aliased | ssh-keygen -L -f -"
    *ssh, command = shlex.split(scan(hop(config, "box", "inner")))
    assert (ssh[-1], command) == ("ssh://root@inner:22", "ssh-keyscan -p 22 box")


def test_nothing_scans_keys_through_a_proxy_command(config: Path) -> None:
    assert scan(hop(config, "proxied")) == scan_certificates(hop(config, "proxied")) == ""
