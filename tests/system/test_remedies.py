"""Each command that a remedy holds is run in a shell, as pasted, by the account that would run it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from tests.lab.sshd_fleet import SshdFleet, open_sshd_fleet

pytestmark = pytest.mark.lab


def test_what_is_typed_on_a_box_about_its_socket_runs(fleet: SshdFleet, shell: Shell) -> None:
    box = fleet.sshd()
    directory = fleet.directory / "a docker.sock"
    directory.mkdir()
    fleet.host("directory", box, f'"unix://{directory}"')
    fleet.host("port", box, "tcp://127.0.0.1:9")
    systemctl = shell.home / "bin" / "systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text(f'#!/bin/sh\necho "$@" > "{shell.home}/called"\n')
    systemctl.chmod(0o755)
    rows = shell.doctor(*fleet.options())
    command = commands(rows["directory"]["error"]["remedy"])
    assert shell.paste(f'PATH="{systemctl.parent}:$PATH"; {command}').returncode == 0
    assert not directory.exists()
    assert (shell.home / "called").read_text() == "restart docker.socket docker\n"
    listening = commands(rows["port"]["error"]["remedy"]).partition("; start")[0]
    assert "State" in shell.paste(listening).stdout
    assert shell.paste(f"namei -l '{systemctl}'").returncode == 0


@pytest.fixture
def fleet() -> Iterator[SshdFleet]:
    with open_sshd_fleet() as found:
        yield found


@dataclass
class Shell:
    """A shell of the operator: with a home of its own, and programs that note how they are called."""

    home: Path
    run_cli: Run

    def __post_init__(self) -> None:
        (self.home / ".ssh").mkdir(parents=True)

    @property
    def environ(self) -> dict[str, str]:
        return {"HOME": str(self.home)}

    def paste(self, command: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            cwd="/",
            env={**os.environ, **self.environ},
        )
        assert "not found" not in done.stderr, done.stderr
        return done

    def doctor(self, *words: str) -> dict[str, dict[str, Any]]:
        done = self.run_cli("doctor", *words, "--format", "json", "-T", "5s", environ=self.environ)
        return {row["host"]: row for row in json.loads(done.stdout)["hosts"]}


@pytest.fixture
def shell(fleet: SshdFleet, run: Run) -> Shell:
    return Shell(fleet.directory / "a home", run)


def inventory_of(fleet: SshdFleet) -> list[str]:
    """The inventory, without an option for known_hosts: the operator's own are read."""
    return fleet.options()[:2]


def commands(text: str) -> str:
    """The command of a remedy: what follows its first colon and blank."""
    return text.partition(": ")[2]


def ssh_config(fleet: SshdFleet, shell: Shell, text: str) -> list[str]:
    """Write a configuration whose known_hosts is a file in the home; return the options for it."""
    known = shell.home / ".ssh" / "known hosts"
    path = fleet.directory / "my config"
    path.write_text(f'{text}Host *\n UserKnownHostsFile "{known}"\n')
    return ["--ssh-config", str(path)]


def test_an_unknown_key_is_added_in_the_operators_own_file_and_by_its_alias(fleet: SshdFleet, shell: Shell) -> None:
    box, url = fleet.sshd(), fleet.engine()
    fleet.host("plain", None, url, port=box.port)
    fleet.host("aliased", None, url, port=box.port)
    fleet.hosts["aliased"]["ansible_ssh_common_args"] = "-o HostKeyAlias=runner"
    (shell.home / ".ssh").rmdir()
    options = inventory_of(fleet)
    # Both ask for the user's own ~/.ssh/config, which is that of root's home.
    for name in ("plain", "aliased"):
        row = shell.doctor(*options)[name]
        assert row["error"]["kind"] == "unknown", row
        done = shell.paste(commands(row["error"]["remedy"]) if name == "plain" else row["command"])
        assert done.returncode == 0, done.stderr
    assert {name: row["status"] for name, row in shell.doctor(*options).items()} == {"plain": "ok", "aliased": "ok"}
    assert (shell.home / ".ssh").stat().st_mode & 0o777 == 0o700


def test_a_changed_key_is_replaced(fleet: SshdFleet, shell: Shell) -> None:
    box = fleet.sshd()
    fleet.host("rebuilt", None, fleet.engine(), port=box.port)
    known = shell.home / ".ssh" / "known_hosts"
    other = fleet.key.with_suffix(".pub").read_text().split()
    known.write_text(f"[127.0.0.1]:{box.port} {other[0]} {other[1]}\n")
    row = shell.doctor(*inventory_of(fleet))["rebuilt"]
    assert row["error"]["kind"] == "changed"
    first, second = commands(row["error"]["remedy"]).split("; then add its new key: ")
    assert shell.paste(row["command"]).returncode == 0
    known.write_text(f"[127.0.0.1]:{box.port} {other[0]} {other[1]}\n")
    for command in (first, second):
        assert shell.paste(command).returncode == 0
    assert shell.doctor(*inventory_of(fleet))["rebuilt"]["status"] == "ok"


def test_a_bastion_and_the_box_behind_it_are_reached_as_the_run_reaches_them(fleet: SshdFleet, shell: Shell) -> None:
    bastion, box = fleet.sshd(), fleet.sshd()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        down = unused.getsockname()[1]
        for name, port in (("behind", box.port), ("down", down)):
            fleet.host(name, None, fleet.engine(), port=port)
            fleet.hosts[name]["ansible_ssh_common_args"] = "-J bastion"
        text = f"Host bastion\n HostName 127.0.0.1\n Port {bastion.port}\n User root\n IdentityFile {fleet.key}\n"
        options = [*inventory_of(fleet), *ssh_config(fleet, shell, text)]
        # The bastion's key, then the box's.
        for _ in range(2):
            error = shell.doctor(*options)["behind"]["error"]
            assert shell.paste(commands(error["remedy"])).returncode == 0, error
        rows = shell.doctor(*options)
        assert rows["behind"]["status"] == "ok", rows["behind"]
        probe = shell.paste(commands(rows["down"]["error"]["remedy"]))
    assert "onnection refused" in probe.stderr
    # A bastion that forbids streams.
    bastion.stop_sshd()
    bastion.sshd_lines = ["AllowTcpForwarding no"]
    bastion.start_sshd()
    error = shell.doctor(*options)["behind"]["error"]
    done = shell.paste(error["remedy"].partition("; and check")[0])
    assert "allowtcpforwarding" in done.stdout, done.stderr


def test_behind_bastions_each_command_reads_the_known_hosts_that_the_run_reads(fleet: SshdFleet, shell: Shell) -> None:
    outer, inner, box, locked = (fleet.sshd() for _ in range(4))
    # Their keys, by the names that the configuration gives them.
    fleet.host("outer", outer, fleet.engine())
    fleet.host("inner", inner, fleet.engine())
    fleet.hosts.clear()
    fleet.host("new", None, fleet.engine(), port=box.port)
    fleet.host("locked", locked, fleet.engine())
    fleet.host("no-socket", locked, "unix:///none.sock")
    other = fleet.directory / "other key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    fleet.hosts["locked"]["ansible_ssh_private_key_file"] = f'"{other}"'
    options = fleet.options()
    jumps = "".join(
        f"Host {name}\n HostName 127.0.0.1\n Port {bastion.port}\n User root\n IdentityFile {fleet.key}\n"
        for name, bastion in (("outer", outer), ("inner", inner))
    )
    text = f"{jumps}Match originalhost 127.0.0.1\n ProxyJump outer,inner\n"
    Path(options[-1]).write_text(text)
    rows = shell.doctor(*options)
    assert rows["new"]["error"]["kind"] == "unknown", rows["new"]
    assert shell.paste(rows["new"]["command"]).returncode == 0
    copied = shell.paste(rows["locked"]["command"])
    assert "1 key(s) remain to be installed" in copied.stderr
    assert "Permission denied" in copied.stderr
    shown = shell.paste(rows["no-socket"]["command"])
    assert "uid=0(root)" in shown.stdout, shown.stderr
    rows = shell.doctor(*options)
    assert rows["new"]["status"] == "ok", rows["new"]


def test_what_doctor_prints_for_each_phase_runs(fleet: SshdFleet, shell: Shell) -> None:
    box, locked = fleet.sshd(), fleet.sshd()
    fleet.host("no-name", None, fleet.engine(), address="box.invalid")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        fleet.host("no-port", None, fleet.engine(), port=unused.getsockname()[1])
        fleet.host("denied", locked, fleet.engine())
        fleet.host("no-socket", box, "unix:///none such.sock")
        other = fleet.directory / "other key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
        other.with_name(other.name + ".pub").unlink()
        fleet.hosts["denied"]["ansible_ssh_private_key_file"] = f'"{other}"'
        options = fleet.options()
        rows = shell.doctor(*options)
        done = {name: shell.paste(row["command"]) for name, row in rows.items() if row["command"]}
    assert set(done) == {"no-name", "no-port", "denied", "no-socket"}
    assert done["no-name"].returncode == 2  # getent: the name was not found
    assert "onnection refused" in done["no-port"].stderr
    assert "No such file" in done["no-socket"].stderr
    assert "streamlocal" in done["no-socket"].stdout
    assert "uid=0(root)" in done["no-socket"].stdout
    # From here on it needs another way to log in, such as a password.
    assert "1 key(s) remain to be installed" in done["denied"].stderr


def test_a_writable_configuration_and_a_revocation_list_get_commands_that_run(fleet: SshdFleet, shell: Shell) -> None:
    box = fleet.sshd()
    fleet.host("box", box, fleet.engine())
    known = fleet.options()[2:4]
    config = shell.home / ".ssh" / "config"
    config.write_text("")
    config.chmod(0o666)
    row = shell.doctor(*inventory_of(fleet), *known)["box"]
    assert row["error"]["kind"] == "ssh-config", row
    assert shell.paste(row["error"]["remedy"].partition(", or")[0]).returncode == 0
    revoked = shell.home / "my keys"
    revoked.write_bytes(b"\0\xff garbage")
    config.write_text(f'RevokedHostKeys "{revoked}"\n')
    row = shell.doctor(*inventory_of(fleet), *known)["box"]
    command = row["error"]["remedy"].partition("(")[2].partition(")")[0]
    revoked.write_text("")
    assert command.startswith("ssh-keygen -Q"), row
    subprocess.run(["ssh-keygen", "-k", "-f", str(revoked), str(fleet.key.with_suffix(".pub"))], check=True)
    assert shell.paste(command).returncode == 0


def test_the_socket_of_this_machine_is_shown_with_its_directories(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a directory" / "none.sock"
    done = run("doctor", "--local", "--engine", f"unix://{path}", "--format", "json")
    (row,) = json.loads(done.stdout)["hosts"]
    shown = subprocess.run(["/bin/sh", "-c", row["command"]], capture_output=True, text=True, check=False)
    assert "No such file" in shown.stderr
    assert "uid=0(root)" in shown.stdout
