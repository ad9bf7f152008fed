"""The command that is suggested for a host's fault or guard."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from fleetsweep.errors import FaultKind, Phase
from fleetsweep.model.decision import Guard, GuardName
from fleetsweep.model.host import Connection, Host
from fleetsweep.model.ssh_settings import SshOption
from fleetsweep.model.survey import Fault, Status
from fleetsweep.ssh.diagnosis import command_for
from fleetsweep.ssh.options import SshOptions

HOST = Host("box", "10.0.0.7", port=2222, user="deploy")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An account that has used SSH before."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def options(tmp_path: Path) -> SshOptions:
    (tmp_path / "config").touch()
    return SshOptions(ssh_config=str(tmp_path / "config"), known_hosts=(str(tmp_path / "known"),))


def suggested(options: SshOptions, phase: Phase | None, kind: str, host: Host = HOST) -> str:
    return command_for(host, options, Fault(Status.UNREACHABLE, phase, FaultKind(kind), "it failed", ""), None)


@pytest.mark.parametrize(
    ("phase", "kind", "command"),
    [
        (Phase.RESOLVE, "unknown-name", "getent ahosts 10.0.0.7"),
        (Phase.CONNECT, "refused", "timeout 5 bash -c 'exec < /dev/tcp/$0/$1 && echo connected' 10.0.0.7 2222"),
        (Phase.AUTH, "denied", "ssh-copy-id -F {config} -o {option} -p 2222 deploy@10.0.0.7"),
        (Phase.HOST_KEY, "changed", "ssh-keygen -R [10.0.0.7]:2222 -f {known}"),
        (Phase.HOST_KEY, "certificate", "ssh-keyscan -c -p 2222 10.0.0.7 | ssh-keygen -L -f -"),
        (Phase.HOST_KEY, "unknown", "ssh-keyscan -p 2222 10.0.0.7 | tee -a {known}"),
    ],
)
def test_a_fault_on_the_route_gets_a_command_for_the_controller(
    options: SshOptions, tmp_path: Path, phase: Phase, kind: str, command: str
) -> None:
    known = tmp_path / "known"
    option = shlex.quote(f'UserKnownHostsFile="{known}"')
    expected = command.format(known=known, config=tmp_path / "config", option=option)
    assert shlex.split(suggested(options, phase, kind)) == shlex.split(expected)


def test_an_account_without_a_directory_for_ssh_makes_it_before_it_copies_its_key(
    options: SshOptions, home: Path
) -> None:
    (home / ".ssh").rmdir()
    command = suggested(options, Phase.AUTH, "denied")
    assert command.startswith("mkdir -p -m 700 ")
    first, _, rest = command.partition(" && ")
    assert (shlex.split(first)[-1].replace("~", str(home)), rest.split()[0]) == (str(home / ".ssh"), "ssh-copy-id")


def test_any_other_fault_of_a_log_in_gets_a_verbose_log_in(options: SshOptions) -> None:
    command = suggested(options, Phase.CONNECT, "hung-up")
    words = shlex.split(command)
    assert words[:3] == ["ssh", "-F", options.ssh_config]
    assert words[-5:] == ["-p", "2222", "deploy@10.0.0.7", "-v", "true"]


def test_the_inventorys_options_are_in_the_command_but_none_that_trusts_any_key(options: SshOptions) -> None:
    given = (SshOption("StrictHostKeyChecking", "no", "hosts:3"), SshOption("HostKeyAlias", "b7", "hosts:3"))
    words = shlex.split(suggested(options, Phase.CONNECT, "hung-up", Host("box", "box", ssh_options=given)))
    assert words[words.index("-o") + 1] == "HostKeyAlias=b7"
    assert "StrictHostKeyChecking" not in " ".join(words)


@pytest.mark.parametrize(
    ("phase", "kind", "word"),
    [
        (Phase.TUNNEL, "denied", "sudo usermod -aG docker deploy"),
        (Phase.TUNNEL, "forbidden", "sshd -T"),
        (Phase.TUNNEL, "absent", "ls -l /var/run/docker.sock"),
        (Phase.ENGINE, "timeout", "journalctl -u docker"),
        (Phase.ENGINE, "refused", "docker -H unix:///var/run/docker.sock version"),
    ],
)
def test_a_fault_of_the_engine_gets_one_quoted_command_for_the_box(
    options: SshOptions, phase: Phase, kind: str, word: str
) -> None:
    *ssh, there = shlex.split(suggested(options, phase, kind))
    assert ssh[-1] == "deploy@10.0.0.7"
    assert word in there


def test_a_guard_gets_the_command_that_shows_its_cause(options: SshOptions) -> None:
    skew = command_for(HOST, options, None, Guard(GuardName.SKEW, "the clocks differ"))
    assert skew.endswith("deploy@10.0.0.7 timedatectl")
    assert command_for(HOST, options, None, None) == ""


def test_a_local_host_needs_no_ssh(options: SshOptions) -> None:
    local = Host("here", "here", connection=Connection.LOCAL)
    command = suggested(options, Phase.TUNNEL, "absent", local)
    assert command.startswith("ls -l /var/run/docker.sock")
    assert "sshd" not in command


def test_an_unusable_ssh_configuration_is_shown_by_ssh_itself(tmp_path: Path) -> None:
    missing = SshOptions(ssh_config=str(tmp_path / "none"))
    assert suggested(missing, Phase.RESOLVE, "ssh-config") == f"ssh -F {tmp_path / 'none'} -G 10.0.0.7"
