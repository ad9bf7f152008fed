"""ssh's own options in an inventory: the few that are honoured, and the rest by name."""

from __future__ import annotations

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.host_vars import to_host
from fleetsweep.inventory.ssh_args import SshArgs
from fleetsweep.model.host import Host


def args(text: str) -> SshArgs:
    found = SshArgs()
    found.read(text, "ansible_ssh_common_args of a", "hosts:3")
    return found


def host(**variables: object) -> Host:
    origins = dict.fromkeys(variables, "hosts:3")
    return to_host("a", variables, origins, (), "hosts:1", "unix:///x")


@pytest.mark.parametrize(
    "text",
    [
        "-J ci@bastion:2222,inner",
        "-Jci@bastion:2222,inner",
        "-o ProxyJump=ci@bastion:2222,inner",
        "-oProxyJump=ci@bastion:2222,inner",
        "-o 'ProxyJump ci@bastion:2222,inner'",
        "-o 'proxyjump = ci@bastion:2222,inner'",
        '-o "ProxyJump=ci@bastion:2222, inner"',
        "-J ssh://ci@bastion:2222,inner",
        " -J  ci@bastion:2222,inner \n",
    ],
)
def test_a_jump_is_read_in_each_of_its_spellings(text: str) -> None:
    assert args(text) == SshArgs(proxy_jump="ci@bastion:2222,inner")


def test_a_jump_may_be_an_ip_address_and_none_keeps_the_ssh_configurations_out() -> None:
    assert args("-J [2001:db8::1]:22").proxy_jump == "[2001:db8::1]:22"
    assert args("-o ProxyJump=none").proxy_jump == "none"
    assert args("-o ProxyCommand=none").proxy_command == "none"


@pytest.mark.parametrize("hops", ["-x", "a,,b", "", "a:0", "a:65536", "a b", "a;b", "$(a)", "@a", "a@", "::1", "-l@a"])
def test_a_jump_that_is_no_list_of_hops_is_refused(hops: str) -> None:
    with pytest.raises(InventoryError, match="hosts:3: ansible_ssh_common_args of a"):
        args(f"-o 'ProxyJump={hops}'")


def test_a_proxy_command_stays_the_template_that_it_is() -> None:
    text = """-o ProxyCommand="ssh -W %h:%p -q -l %r 'the bastion'" """
    assert args(text) == SshArgs(proxy_command="ssh -W %h:%p -q -l %r 'the bastion'")


def test_files_user_and_port_are_read_joined_and_apart() -> None:
    expected = SshArgs(port=2222, user="ci", key_file="~/.ssh/ci", ssh_config="cfg", known_hosts="~/known hosts")
    known = """-o 'UserKnownHostsFile="~/known hosts"'"""
    assert args(f"-p 2222 -l ci -i ~/.ssh/ci -F cfg {known}") == expected
    assert args(f"-p2222 -lci -i~/.ssh/ci -Fcfg {known}") == expected
    assert args(f"-o Port=2222 -o User=ci -oIdentityFile=~/.ssh/ci -F x -F cfg {known}") == expected


def test_the_first_word_counts_as_in_ssh() -> None:
    assert args("-p 1 -p 2 -l a -l b -i c -i d") == SshArgs(port=1, user="a", key_file="c")
    assert args("-o ProxyJump=a -o ProxyJump=b -o ProxyCommand=c") == SshArgs(proxy_jump="a")
    assert args("-o ProxyCommand=c -o ProxyJump=a") == SshArgs(proxy_command="c")


def test_the_variables_stand_before_the_options_as_ansible_puts_them() -> None:
    found = host(
        ansible_port=22,
        ansible_ssh_common_args="-p 23 -l ann -J b1",
        ansible_ssh_extra_args="-l ben -i k -o ProxyJump=b2",
    )
    assert (found.port, found.user, found.key_file, found.proxy_jump) == (22, "ann", "k", "b1")
    found = host(ansible_port=22, ansible_ssh_args="-p 21 -C -o ControlMaster=auto -o ControlPersist=60s")
    assert found.port == 21


@pytest.mark.parametrize(
    ("text", "option", "mend"),
    [
        ("-o StrictHostKeyChecking=no", "StrictHostKeyChecking", "always verifies host keys"),
        ("-o StrictHostKeyChecking=yes", "StrictHostKeyChecking", "always verifies host keys"),
        ("-J a -o ForwardAgent=yes", "ForwardAgent", "never forwards"),
        ("-o ControlMaster=auto", "ControlMaster", "remove it"),
        ("-o ServerAliveInterval=30", "ServerAliveInterval", "remove it"),
        ("-A", "-A", "never forwards"),
        ("-C", "-C", "remove it"),
        ("-vvv", "-v", "remove it"),
        ("-qJ bastion", "-q", "remove it"),
        ("-W %h:%p", "-W", "another box"),
        ("-L 1:a:2", "-L", "remove it"),
        ("-4", "-4", "remove it"),
        ("-Z", "-Z", "remove it"),
    ],
)
def test_any_other_option_is_refused_by_name_and_never_passed_over(text: str, option: str, mend: str) -> None:
    with pytest.raises(InventoryError, match=f"^hosts:3: ansible_ssh_common_args of a: {option} .*{mend}"):
        host(ansible_ssh_common_args=text)


@pytest.mark.parametrize(
    "text",
    ["-J", "-o", "bastion", "-", "--", "-o ProxyJump", "-o =x", "-J 'a", "-p x", "-p 0", "-l 'a b'", "-J a -J b",
     "-o ProxyCommand=x -J a", "-i ~/%h", "-o 'UserKnownHostsFile=a b'", "-o 'ProxyCommand=a\nb'", "-J a \0"],
)  # fmt: skip
def test_options_that_ssh_itself_would_refuse_or_that_mean_too_much_are_refused(text: str) -> None:
    with pytest.raises(InventoryError, match="hosts:3: ansible_ssh_common_args of a"):
        args(text)
