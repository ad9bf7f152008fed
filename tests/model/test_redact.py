"""A command's words are kept out of what is shown and stored."""

from __future__ import annotations

import json
import shlex
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.errors import FaultKind, HostError, InventoryError, Phase
from fleetsweep.inventory import load
from fleetsweep.inventory.redact import masked
from fleetsweep.inventory.ssh_args import SshArgs
from fleetsweep.model.host import Host
from fleetsweep.model.policy_flags import Flags
from fleetsweep.model.redact import MASK, program_of, without_words
from fleetsweep.model.survey import Fault, Status
from fleetsweep.policy.rules import Policy
from fleetsweep.policy.settings import sources
from fleetsweep.report.hosts import render_hosts
from fleetsweep.ssh.diagnosis import command_for
from fleetsweep.ssh.options import SshOptions
from fleetsweep.ssh.proxy_command import ProxyCommand

SECRET = "tr0ub4dor&3"  # noqa: S105 - nobody's
COMMAND = f"sshpass -p '{SECRET}' ssh -W %h:%p gw.example.com"


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("nc %h %p", "nc"),
        ("/usr/bin/nc -X 5 %h", "nc"),
        ("PASSWORD=x nc", ""),
        ("'it is odd' x", ""),
        ("", ""),
        ("$(cat secret)", ""),
    ],
)
def test_of_a_command_only_the_name_of_its_program_is_shown(command: str, program: str) -> None:
    assert program_of(command) == program


@given(
    secret=st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=4, max_size=20),
    how=st.sampled_from(["nc -p {} h", "nc -p{} h", "x --pw={} h", "x u:{}@h", "x http://u:{}@h/", "sh -c {}"]),
)
def test_a_secret_in_a_command_is_masked_wherever_the_command_repeats_it(secret: str, how: str) -> None:
    inner = shlex.join(["curl", "-p", secret]) if how.startswith("sh") else secret
    command = how.format(shlex.quote(inner))
    words = shlex.split(command)
    text = f"failed: {' '.join(words)} <{secret}> {secret}"
    shown = without_words(text, command, {})
    assert secret not in shown.replace(MASK, " ")


def test_the_value_of_a_variable_and_the_form_of_an_http_header_are_masked_too() -> None:
    text = "sent s3cr3t-value, then Basic dTpwYXNz"
    assert without_words(text, "curl -u u:pass $TOKEN", {"TOKEN": "s3cr3t-value"}) == f"sent {MASK}, then Basic {MASK}"


def test_what_is_known_not_to_be_secret_stays_readable() -> None:
    text = "nc: connect to 10.0.0.7 port 22 failed: refused, -v"
    assert without_words(text, "nc -v 10.0.0.7 22", {}, ("10.0.0.7", "22")) == text


def test_the_place_of_an_engine_tells_its_commands_apart_and_shows_none() -> None:
    first, same, other = (
        Host("a", "a", proxy_command=command).endpoint for command in (COMMAND, COMMAND, COMMAND + " -v")
    )
    assert first == same != other
    assert SECRET not in first


def test_the_variables_of_a_proxy_command_are_masked_and_what_their_templates_name() -> None:
    variables = {
        "ansible_ssh_common_args": "-o ProxyCommand='sshpass -p {{ gate }} nc {{ ansible_host }} 22'",
        "gate": "{{ inner }}",
        "inner": SECRET,
        "ansible_host": "10.0.0.7",
        "deeper": {"args": [f"-o proxycommand={COMMAND}"]},
        "gw_pw": SECRET,
        "rack": "b4",
    }
    shown = masked(variables)
    assert SECRET not in json.dumps(shown)
    assert (shown["ansible_host"], shown["rack"]) == ("10.0.0.7", "b4")


@pytest.mark.parametrize("style", ["table", "json"])
def test_the_hosts_command_shows_no_proxy_command(tmp_path: Path, style: str) -> None:
    (tmp_path / "hosts").write_text(f"""a ansible_ssh_common_args='-o ProxyCommand="{COMMAND}"'\n""")
    found = load(["hosts"], cwd=tmp_path).hosts()
    assert SECRET in str(found[0].proxy_command)
    assert SECRET not in render_hosts(found, style, {"a": (Policy(), sources(Flags(), {}, found[0]))})


@pytest.mark.parametrize(
    "text",
    [
        f"-o ProxyCommand=sshpass -p {SECRET} ssh",
        f"-o ProxyCommand='x' -o 'Proxy-Command {SECRET}'",
        f"-o ProxyCommand=x {SECRET}",
        f"-o proxycommand=x -l '{SECRET}'",
    ],
)
def test_ssh_options_that_are_refused_quote_no_part_of_a_proxy_command(text: str) -> None:
    with pytest.raises(InventoryError) as caught:
        SshArgs().read(text, "ansible_ssh_common_args of a", "hosts:1")
    assert SECRET not in str(caught.value)
    assert str(caught.value).startswith("hosts:1: ansible_ssh_common_args of a")


def test_a_template_that_leads_to_itself_shows_none_of_its_text(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text(f"""a ansible_user='{{{{ "{SECRET}" ~ x }}}}' x='{{{{ ansible_user }}}}'\n""")
    with pytest.raises(InventoryError) as caught:
        load(["hosts"], cwd=tmp_path).hosts()
    assert "ansible_user > x > ansible_user" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_the_error_of_a_proxy_command_shows_neither_it_nor_what_it_repeats_of_itself(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.write_text('#!/bin/sh\necho "no way in with $2 to $3" >&2\nexit 9\n')
    gate.chmod(0o700)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = ProxyCommand(f"{gate} -p '{SECRET}' box", theirs, ("box",))
        theirs.close()
        found = command.explain(HostError(Phase.CONNECT, FaultKind.HUNG_UP, "it hung up", ""))
        command.end()
    assert SECRET not in found.message + found.remedy
    assert f"ProxyCommand (gate) ended with status 9: no way in with {MASK} to box" in found.message


def test_the_command_that_doctor_prints_leaves_the_proxy_command_to_its_reader(tmp_path: Path) -> None:
    (tmp_path / "config").touch()
    options = SshOptions(ssh_config=str(tmp_path / "config"))
    fault = Fault(Status.UNREACHABLE, Phase.CONNECT, FaultKind.HUNG_UP, "it hung up", "")
    shown = command_for(Host("a", "a", user="u", proxy_command=COMMAND), options, fault, None)
    assert SECRET not in shown
    assert '"ProxyCommand=$PROXY_COMMAND"' in shown
