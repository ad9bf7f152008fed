"""Each command that the program can print is run as it is printed, or it is known why not.

The boxes' accounts and settings are their own: what changes them is typed there as it is.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleetsweep.errors import FaultKind, Phase
from fleetsweep.model.decision import Guard, GuardName
from fleetsweep.model.host import Host
from fleetsweep.model.survey import Fault, Status
from fleetsweep.notify import messages, prometheus
from fleetsweep.report.unknown_keys import SHOW_KEYS
from fleetsweep.schedule.account import Needs, account_problems
from fleetsweep.ssh.diagnosis import command_for
from fleetsweep.ssh.options import SshOptions
from tests.conftest import Run
from tests.lab import Lab
from tests.lab.private_box import PrivateBox
from tests.lab.ssh_agents import ssh_agent
from tests.lab.systemd_pid1 import run_under_systemd
from tests.system.printed_commands import printed_commands

pytestmark = pytest.mark.lab

TESTS = Path(__file__).parents[1]

NEW_HOST_KEYS = "on the box: rm /etc/ssh/ssh_host_*_key* && ssh-keygen -A; then find out who has the old key"
LONGER_HOST_KEY = "create a longer host key on the box: ssh-keygen -A, or lower RequiredRSASize"
START_DOCKER = "on the box: systemctl start docker.socket docker; or set fleetsweep_engine to where the engine listens"
SHOW_PUBLICKEY = "allow keys in its sshd_config: sudo sshd -T | grep -i pubkeyauthentication"
OF_DIAGNOSIS = "test_every_command_of_the_diagnosis_runs_on_a_real_box"
ON_BASTIONS = "test_a_bastion_and_the_box_behind_it_are_reached_as_the_run_reaches_them"
UNDER_SYSTEMD = "test_the_services_of_a_box_are_started_by_a_real_systemd"
UNKNOWN_KEY = "test_an_unknown_key_is_added_in_the_operators_own_file_and_by_its_alias"
GRANTED = "test_the_group_and_the_rule_of_sudo_give_the_account_its_access"

RUN = {
    "podman pod rm {shlex.quote(pod)}": "test_a_pods_infra_container_is_the_pods_and_its_members_can_go",
    "kill -9 {process or 'that process'}": "test_what_an_old_podman_is_stopping_is_never_called_removed",
    "systemctl start docker.socket docker, or give --engine": UNDER_SYSTEMD,
    START_DOCKER: UNDER_SYSTEMD,
    "on the box: systemctl restart docker": UNDER_SYSTEMD,
    "systemctl restart docker": UNDER_SYSTEMD,
    "on the box: rmdir {shlex.quote(path)} && systemctl restart": "test_what_is_typed_on_a_box_about_its_socket_runs",
    "on the box: ss -ltn 'sport = :{endpoint.port}'": "test_what_is_typed_on_a_box_about_its_socket_runs",
    "namei -l {shlex.quote(str(endpoint))}": "test_the_socket_of_this_machine_is_shown_with_its_directories",
    "namei -l {shlex.quote(path)} shows": "test_what_is_typed_on_a_box_about_its_socket_runs",
    "usermod -aG {shlex.quote(group)} {shlex.quote(user)}": GRANTED,
    'echo "{user} ALL=(root) NOPASSWD: ': GRANTED,
    "{shlex.quote(sys.executable)} -m pip install '{REQUIREMENT}'": (
        "test_the_libraries_are_installed_where_the_program_is"
    ),
    SHOW_KEYS: "test_host_keys_are_shown_and_made_on_the_box",
    NEW_HOST_KEYS: "test_host_keys_are_shown_and_made_on_the_box",
    LONGER_HOST_KEY: "test_host_keys_are_shown_and_made_on_the_box",
    SHOW_PUBLICKEY: "test_host_keys_are_shown_and_made_on_the_box",
    "ulimit -v {enough // 1024}": (
        "test_with_no_memory_for_one_host_no_host_is_contacted_and_the_limit_to_raise_is_named"
    ),
    "install -d -m 1775 -g {user} {path}": "test_a_directory_is_opened_for_the_account_of_a_schedule",
    "sudo sshd -T | grep -iE 'allowtcpforwarding|permitopen|disableforwarding'": ON_BASTIONS,
    "ssh-keyscan {_where(hop)}": UNKNOWN_KEY,
    "{text} | sed {shlex.quote(": UNKNOWN_KEY,
    "mkdir -p -m 700 {quoted(directory)} && ": UNKNOWN_KEY,
    "ssh-keyscan -p {port} {shlex.quote(name)}": UNKNOWN_KEY,
    "ssh-keygen -R {shlex.quote(spelling)} -f {quoted(file)}": "test_a_changed_key_is_replaced",
    "chmod go-w {quoted(path)}": "test_a_writable_configuration_and_a_revocation_list_get_commands_that_run",
    "restore the file (ssh-keygen -Q -l -f": (
        "test_a_writable_configuration_and_a_revocation_list_get_commands_that_run"
    ),
    "ssh-add {quoted(path)}": "test_keys_are_loaded_copied_and_shown_as_printed",
    "name the private key, or ssh-add {quoted(private)}": "test_keys_are_loaded_copied_and_shown_as_printed",
    "check the file: ssh-keygen -l -f {quoted(path)}": "test_keys_are_loaded_copied_and_shown_as_printed",
    "docker -H {shlex.quote(endpoint.url)} system dial-stdio": "test_a_key_that_may_run_one_command_is_enough",
    "LC_ALL=C; export LC_ALL; echo {_BEGIN}": GRANTED,
}
"""How a text with a command begins, or what its command is, and the test that runs it."""

NOT_RUN = {
    "Note: a runner without fleetsweep installs it": "the operator writes the command",
    "as root: usermod -aG {group} USER, then log in again": "USER is to be replaced",
    "is world-writable: chmod o-w": "the file's name is before it",
    "add its keys to the agent: ssh-add -s PROVIDER": "PROVIDER is to be replaced",
    "ulimit -u {used": "root, who runs these tests, has no such limit",
    "pip install --quiet {default_wheel()}": "a step of a workflow, for a wheel that the operator puts there",
    "sign the host key again": "the words of the operator's own authority are missing",
    "make a new host key on the box, and sign it": "the words of the operator's own authority are missing",
    "puttygen ": "a program for Windows's keys, which the lab has not",
    "ssh-add your key, or name one": "the key is to be named",
    "create one: ssh-keygen -t ed25519": "it asks for a file and a pass phrase",
    "; an old sshd accepts RSA keys with SHA-1 only": "it asks for a file and a pass phrase",
    "update its sshd, or create an ed25519 key": "it asks for a file and a pass phrase",
    "ssh-keygen -Q: {": "an error of a program that ran",
    "is a KRL, which takes ssh-keygen to read": "an error, which names what to install",
    "ssh-keygen -Q did not end": "an error of a program that ran",
    "state directory {path} belongs to": "... stands for the command's own words",
    "in sshd_config on the box: ": "lines for files; tests/system/test_engine_routes.py has them",
    "--scheduler needs Dask": "of an index that may not have the name",
    "raise the limits (ulimit -u, ulimit -v": "the numbers are to be chosen",
}


def test_each_text_with_a_command_is_run_by_a_test_or_it_is_known_why_not() -> None:
    found = printed_commands()
    assert len(found) > 60
    known = {**RUN, **NOT_RUN}
    unknown = {
        text: file for text, file in found.items() if file != "ssh/diagnosis.py" and not known_by(text, [*known])
    }
    # Commands of ssh/commands.py are parts of those of the others.
    assert {
        text for text, file in unknown.items() if not text.startswith(("ssh-keyscan -c", "{_from_bastion("))
    } == set()
    assert [start for start in known if not any(known_by(text, [start]) for text in found)] == []
    sources = "".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    assert {name for name in RUN.values() if f"def {name}(" not in sources} == set()


def known_by(text: str, parts: list[str]) -> bool:
    return any(part in text for part in parts)


class PrivateLab(Lab):
    def make_box(self, name: str, directory: Path) -> PrivateBox:
        return PrivateBox(name, directory, self.client_key)


@pytest.fixture(scope="module")
def private_lab() -> Iterator[PrivateLab]:
    with PrivateLab(1) as lab:
        yield lab


@pytest.fixture
def box(private_lab: PrivateLab) -> PrivateBox:
    (box,) = private_lab.boxes
    assert isinstance(box, PrivateBox)
    return box


def add_account(box: PrivateBox, name: str, *keys: Path) -> None:
    """An account of the box that these private keys log in to."""
    lines = "".join(key.with_name(f"{key.name}.pub").read_text() for key in keys)
    done = box.type(
        f"useradd -m -s /bin/sh {name}; usermod -p '*' {name}; install -d -m 700 -o {name} ~{name}/.ssh\n"
        f"echo '{lines}' > ~{name}/.ssh/authorized_keys; chown {name} ~{name}/.ssh/authorized_keys"
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("user", ["root", "keeper"])
def test_every_command_of_the_diagnosis_runs_on_a_real_box(
    private_lab: PrivateLab, box: PrivateBox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    # One of them makes ~/.ssh.
    monkeypatch.setenv("HOME", str(home))
    if user != "root":
        add_account(box, user, private_lab.client_key)
        box.type(f"echo '{user} ALL=(root) NOPASSWD: ALL' > /etc/sudoers.d/{user}")
    known, config = tmp_path / "known hosts", tmp_path / "config"
    config.write_text(f"IdentityFile {private_lab.client_key}\n")
    options = SshOptions(ssh_config=str(config), known_hosts=(str(known),), key_file=str(private_lab.client_key))
    target = Host("box", "127.0.0.1", user=user, port=box.port, engine="unix:///var/run/docker.sock")
    faults = [Fault(Status.FAILED, phase, kind, "") for phase in [None, *Phase] for kind in FaultKind]
    texts = {command_for(target, options, fault, None) for fault in faults}
    texts |= {command_for(target, options, None, Guard(name, "")) for name in GuardName}
    texts -= {""}
    assert len(texts) > 10
    shown = ["Client:", "allowstreamlocalforwarding", "connected", "ssh-ed25519 AAAA", "load average"]
    if user != "root":
        # The others are the same for both.
        texts = {text for text in texts if "sudo " in text}
        shown = ["allowstreamlocalforwarding", "usermod"]
    ran = ""
    for text in sorted(texts):
        # One of them takes the box's line out, and one adds it.
        known.write_text(box.known_hosts_line)
        done = subprocess.run(
            ["/bin/sh", "-c", text],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
        )
        for problem in (
            "not found",
            "yntax error",
            "usage:",
            "unknown option",
            "erification failed",
            "may not run sudo",
            "ermission denied (publickey",
        ):
            assert problem not in done.stdout, (text, done.stdout)
        ran += f"{text}\n{done.stdout}\n"
    assert [printed for printed in shown if printed not in ran] == []
    assert re.search(rf"usermod -aG docker {user}\b", ran)
    assert "docker" in box.type(f"id -nG {user}").stdout.split()


def doctor(run: Run, lab: Lab, box: PrivateBox, inventory: Path, user: str, **more: object) -> dict[str, Any]:
    row = {"ansible_host": "127.0.0.1", "ansible_port": box.port, "ansible_user": user}
    row |= {"ansible_ssh_private_key_file": str(lab.client_key), "fleetsweep_engine": "unix:///var/run/docker.sock"}
    inventory.write_text(json.dumps({"all": {"hosts": {"box": {**row, **more}}}}))
    known = ["--known-hosts", str(lab.known_hosts), "--ssh-config", "/dev/null"]
    done = run("doctor", "-i", str(inventory), *known, "--format", "json")
    (found,) = json.loads(done.stdout)["hosts"]
    return dict(found)


def test_the_group_and_the_rule_of_sudo_give_the_account_its_access(
    run: Run, private_lab: PrivateLab, box: PrivateBox, tmp_path: Path
) -> None:
    add_account(box, "sweeper", private_lab.client_key)
    row = doctor(run, private_lab, box, tmp_path / "inventory.json", "sweeper")
    assert row["error"]["remedy"] == "on the box, as root: usermod -aG docker sweeper"
    assert box.type(row["error"]["remedy"].partition(": ")[2]).returncode == 0
    assert doctor(run, private_lab, box, tmp_path / "inventory.json", "sweeper")["status"] == "ok"
    # Where only root may open the socket, one command by sudo.
    try:
        assert box.type("gpasswd -d sweeper docker; chgrp root /run/docker.sock").returncode == 0
        row = doctor(run, private_lab, box, tmp_path / "inventory.json", "sweeper")
        command, _, more = row["error"]["remedy"].partition(": ")[2].partition("; and ")
        assert more == "set ansible_become for it"
        done = box.type(command)
        assert done.returncode == 0, done.stdout
        row = doctor(run, private_lab, box, tmp_path / "inventory.json", "sweeper", ansible_become=True)
        assert row["engine"]["via"] == "sudo dial-stdio", row
    finally:
        shutil.chown(box.socket, group="docker")


def test_host_keys_are_shown_and_made_on_the_box(box: PrivateBox) -> None:
    new = NEW_HOST_KEYS.partition(": ")[2].partition("; then")[0]
    assert box.type(LONGER_HOST_KEY.partition(": ")[2].partition(", or")[0]).returncode == 0
    before = box.type(SHOW_KEYS).stdout
    assert box.type(new).returncode == 0
    after = box.type(SHOW_KEYS).stdout
    assert before.count("SHA256:") == after.count("SHA256:") == 3
    assert not set(re.findall(r"SHA256:\S+", before)) & set(re.findall(r"SHA256:\S+", after))
    assert box.type(SHOW_PUBLICKEY.partition(": ")[2]).stdout == "pubkeyauthentication yes\n"


def test_the_services_of_a_box_are_started_by_a_real_systemd() -> None:
    remedies = [text for text in printed_commands() if re.search(r"systemctl (?:re)?start", text) and "{" not in text]
    typed = [re.split(r"; or|, or", text.removeprefix("on the box: "))[0] for text in remedies]
    assert len(set(typed)) == 2
    # Instead of the real Docker of this machine. The machine has booted no target that they would wait for.
    alone = "[Unit]\nDefaultDependencies=no\n"
    units = {
        "docker.service": f"{alone}[Service]\nExecStart=/bin/sleep infinity\n",
        "docker.socket": f"{alone}[Socket]\nListenStream=/run/docker.sock\n",
    }
    lines = ["cp docker.service docker.socket /etc/systemd/system/", "systemctl daemon-reload"]
    for command in dict.fromkeys(typed):
        lines += ["systemctl stop docker.socket docker", command, "systemctl is-active docker"]
    ended = run_under_systemd("\n".join(lines), units)
    assert ended.code == 0, ended.output


def test_the_libraries_are_installed_where_the_program_is() -> None:
    python = shlex.quote(sys.executable)
    commands = [f"{python} -m pip install '{library.REQUIREMENT}'" for library in (messages, prometheus)]
    environment = {**os.environ, "PIP_NO_INDEX": "1"}
    # At once: each takes a second to start.
    running = [
        subprocess.Popen(["/bin/sh", "-c", command], stdout=subprocess.PIPE, text=True, env=environment)
        for command in commands
    ]
    for child in running:
        printed, _ = child.communicate(timeout=300)
        assert child.returncode == 0
        assert "already satisfied" in printed


def test_a_directory_is_opened_for_the_account_of_a_schedule(tmp_path: Path) -> None:
    for directory in (tmp_path, *tmp_path.parents):
        if directory == Path(tempfile.gettempdir()):
            break
        directory.chmod(0o711)
    wanted = tmp_path / "metrics"
    wanted.mkdir(mode=0o755)
    needs = Needs(program=("/bin/true",), writes=(str(wanted),))
    (problem,) = account_problems("games", needs)
    subprocess.run(["/bin/sh", "-c", problem.rpartition(": ")[2]], check=True)
    assert account_problems("games", needs) == ()


def test_keys_are_loaded_copied_and_shown_as_printed(
    run: Run, private_lab: PrivateLab, box: PrivateBox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, plain = tmp_path / "locked key", tmp_path / "plain key"
    for key, phrase in ((locked, "secret"), (plain, "")):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", phrase, "-f", str(key)], check=True)
    add_account(box, "keyed", locked, plain)
    ask = tmp_path / "ask"
    ask.write_text("#!/bin/sh\necho secret\n")
    ask.chmod(0o700)
    with ssh_agent(tmp_path / "agent") as address:
        # The operator's home has no .ssh.
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        (tmp_path / "home").mkdir()
        environment = {**os.environ, "SSH_AUTH_SOCK": address, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}

        def paste(command: str) -> str:
            done = subprocess.run(
                ["/bin/sh", "-c", command],
                check=False,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=environment,
            )
            assert done.returncode == 0, done.stdout
            return done.stdout

        for configured, start in ((locked, "ssh-add "), (Path(f"{plain}.pub"), "name the private key, or ssh-add ")):
            own = {"ansible_ssh_private_key_file": str(configured)}
            remedy = doctor(run, private_lab, box, tmp_path / "inventory.json", "keyed", **own)["error"]["remedy"]
            assert remedy.startswith(start), remedy
            assert "Identity added" in paste(remedy.partition(", or ")[2] or remedy)
        # A key that is new to the box is copied there by one that is not: the agent's.
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "new key")], check=True)
        new = {"ansible_ssh_private_key_file": str(tmp_path / "new key")}
        row = doctor(run, private_lab, box, tmp_path / "inventory.json", "keyed", **new)
        assert (row["error"]["phase"], row["error"]["kind"]) == ("auth", "denied")
        assert "Number of key(s) added: 1" in paste(row["command"])
        row = doctor(run, private_lab, box, tmp_path / "inventory.json", "keyed", **new)
        assert row["error"]["phase"] == "tunnel"
    certificate = tmp_path / "config"
    certificate.write_text(f'CertificateFile "{plain}.pub"\nIdentityFile "{plain}"\n')
    words = ["--host", f"keyed@127.0.0.1:{box.port}", "--known-hosts", str(private_lab.known_hosts)]
    done = run("doctor", *words, "--ssh-config", str(certificate), "--format", "json")
    (row,) = json.loads(done.stdout)["hosts"]
    assert (
        "SHA256:"
        in subprocess.run(
            ["/bin/sh", "-c", row["error"]["remedy"].partition(": ")[2]], check=True, capture_output=True, text=True
        ).stdout
    )
