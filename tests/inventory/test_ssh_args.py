"""ssh's own options in an inventory: the few that are honoured, and the rest by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.host_vars import to_host, unused
from fleetsweep.inventory.ssh_args import SshArgs
from fleetsweep.model.host import Host
from fleetsweep.model.ssh_settings import SETTINGS, SshOption, Verdict


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
        ("-W %h:%p", "-W", "another box"),
        ("-Z", "-Z", "remove it"),
        ("-G", "-G", "remove it"),
        ("-O exit", "-O", "remove it"),
        ("-b 10.0.0.1", "BindAddress", "which box"),
        ("-B eth1", "BindInterface", "which box"),
        ("-I lib.so", "PKCS11Provider", "the agent"),
        ("-o KnownHostsCommand=/bin/x", "KnownHostsCommand", "a known_hosts file"),
        ("-o CheckHostIP=yes", "CheckHostIP", "remove it"),
        ("-o PubkeyAuthentication=no", "PubkeyAuthentication", "keys alone"),
        ("-o PreferredAuthentications=password", "PreferredAuthentications", "publickey"),
        ("-o NoSuchSetting=1", "NoSuchSetting", "remove it"),
        ("-o Include=x", "Include", "-F"),
        ("-o 'Match all'", "Match", "-F"),
    ],
)
def test_what_may_decide_the_box_or_its_trust_is_refused_by_name(text: str, option: str, mend: str) -> None:
    with pytest.raises(InventoryError, match=f"^hosts:3: ansible_ssh_common_args of a: {option} .*{mend}"):
        host(ansible_ssh_common_args=text)


@pytest.mark.parametrize(
    "text",
    ["-J", "-o", "bastion", "-", "--", "-o ProxyJump", "-o =x", "-J 'a", "-p x", "-p 0", "-l 'a b'", "-J a -J b",
     "-o ProxyCommand=x -J a", "-o StrictHostKeyChecking=maybe", "-o Port=nosuch", "-o 'ProxyCommand=a\nb'", "-J a \0"],
)  # fmt: skip
def test_options_that_ssh_itself_would_refuse_or_that_mean_too_much_are_refused(text: str) -> None:
    with pytest.raises(InventoryError, match="hosts:3: ansible_ssh_common_args of a"):
        args(text)


@pytest.mark.parametrize(
    "text",
    [
        "-C -q -v -vvv",
        "-o ControlMaster=auto -o ControlPersist=60s -o ControlPath=/tmp/%r@%h:%p",
        "-o ServerAliveInterval=30 -o ServerAliveCountMax=3 -o ConnectTimeout=5 -o ConnectionAttempts=3",
        "-o BatchMode=yes -o LogLevel=ERROR -o Compression=yes",
        "-A -a -o ForwardAgent=yes -T -tt -n -x -X",
        "-S none -c aes128-ctr -m hmac-sha2-256 -E /tmp/log",
        "-o CheckHostIP=no -o KnownHostsCommand=none -o PubkeyAuthentication=yes",
        "-o PreferredAuthentications=publickey,password",
        "-L 1:a:2 -R 1:a:2 -D 1080 -o ExitOnForwardFailure=yes",
    ],
)
def test_what_changes_neither_box_nor_key_nor_trust_is_passed_over(text: str) -> None:
    assert args(text) == SshArgs()


def test_every_setting_is_treated_as_in_the_configuration() -> None:
    for setting in SETTINGS.values():
        if setting.verdict is Verdict.PASSED_OVER:
            assert args(f"-o {setting.name}=x") == SshArgs()
        elif setting.verdict is Verdict.REFUSED:
            with pytest.raises(InventoryError, match=setting.name):
                args(f"-o {setting.name}=x")


def test_the_other_honoured_settings_are_kept_in_their_order() -> None:
    where = "hosts:3: ansible_ssh_common_args of a"
    found = args("-o HostKeyAlias=b1 -o 'RevokedHostKeys /r' -6 -o GlobalKnownHostsFile=/g -P tag")
    assert found.options == [
        SshOption("HostKeyAlias", "b1", where),
        SshOption("RevokedHostKeys", "/r", where),
        SshOption("AddressFamily", "inet6", where),
        SshOption("GlobalKnownHostsFile", "/g", where),
        SshOption("Tag", "tag", where),
    ]
    assert host(ansible_ssh_common_args="-o HostKeyAlias=b1").ssh_options == (SshOption("HostKeyAlias", "b1", where),)


def test_files_with_tokens_or_several_of_them_are_left_to_the_configurations_rules() -> None:
    found = args("-i '~/%h' -o 'UserKnownHostsFile=/a /b' -o UserKnownHostsFile=/c")
    assert [(option.name, option.value) for option in found.options] == [
        ("IdentityFile", "~/%h"),
        ("UserKnownHostsFile", "/a /b"),
    ]
    assert (found.key_file, found.known_hosts) == (None, None)
    assert args("-o UserKnownHostsFile=/c -o 'UserKnownHostsFile=/a /b'") == SshArgs(known_hosts="/c")


def test_a_jump_may_have_tokens_and_a_port_by_name() -> None:
    assert args("-J %r@gate-%h:ssh").proxy_jump == "%r@gate-%h:ssh"
    assert args("-p ssh").port == 22


def test_a_proxy_command_counts_after_proxy_jump_none() -> None:
    assert args("-o ProxyJump=none -o ProxyCommand=x") == SshArgs(proxy_command="x")


@pytest.mark.parametrize("word", ["yes", "accept-new", "ask", "no", "off"])
def test_a_choice_of_host_key_checking_is_kept_and_turning_it_off_is_noted(word: str) -> None:
    text = f"-o StrictHostKeyChecking={word}"
    assert [(option.name, option.value) for option in host(ansible_ssh_extra_args=text).ssh_options] == [
        ("StrictHostKeyChecking", word)
    ]
    noted = [(name, reason) for name, reason in unused({"ansible_ssh_extra_args": text})]
    if word in {"no", "off"}:
        assert noted[0][0] == "ansible_ssh_extra_args"
        assert f"StrictHostKeyChecking {word} is not obeyed" in noted[0][1]
    else:
        assert noted == []


def test_the_case_of_a_fleet_whose_inventory_turns_the_check_off() -> None:
    text = (Path(__file__).parent / "cases" / "sshargs" / "hosts.ini").read_text()
    value = text.partition("ansible_ssh_common_args=")[2].strip()
    assert host(ansible_ssh_common_args=value).ssh_options[0].value == "no"
