"""No route to an engine: what each attempt met, the cause, and the command that fixes it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from fleetsweep.engine.client import EngineClient
from fleetsweep.engine.pool import READ_ONLY
from fleetsweep.errors import HostError
from fleetsweep.model.survey import FailedSurvey
from fleetsweep.runtime.deadline import Deadline, Watchdog
from fleetsweep.ssh import SshOptions
from fleetsweep.ssh.bastions import Bastions
from fleetsweep.ssh.connection import connect
from fleetsweep.ssh.exec_stream import CommandStream
from tests.conftest import Run
from tests.lab import Box, Lab
from tests.lab.accounts import account, sshd_with
from tests.lab.process import wait_for
from tests.lab.single_host_survey import fault, host, survey_one, via

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("no_thread_is_left")]

NO_STREAMLOCAL = "AllowStreamLocalForwarding no"
ONE_COMMAND = 'restrict,command="docker -H unix://{socket} system dial-stdio"'


def test_no_way_at_all_says_what_each_said_and_what_to_type(lab: Lab, box: Box) -> None:
    with account(box) as who:
        told = fault(host(lab, box, who, become=True))
    assert told.kind == "denied"
    for word in ("streamlocal: sshd", "dial-stdio: ", "permission denied", "sudo dial-stdio: sudo: a password is"):
        assert word in told.message
    assert str(box.socket) in told.message


def test_the_remedies_work_when_they_are_typed(lab: Lab, box: Box) -> None:
    rules = Path("/etc/sudoers.d/fleetsweep")
    with account(box) as who:
        told = fault(host(lab, box, who, become=True)).remedy
        rule = type_it(told.replace(str(rules), f"{rules}-lab-{who.name}"))
        try:
            assert via(host(lab, box, who, become=True)) == "sudo dial-stdio"
        finally:
            rules.with_name(f"{rules.name}-lab-{who.name}").unlink()
        assert rule.startswith("echo ")
        type_it(fault(host(lab, box, who)).remedy)
        assert via(host(lab, box, who)) == "streamlocal"


def type_it(remedy: str) -> str:
    """Type on the box, as root, what a remedy says."""
    before, found, command = remedy.partition("on the box, as root: ")
    assert (before, bool(found)) == ("", True)
    subprocess.run(["sh", "-c", command], check=True)
    return command


def test_a_user_outside_the_sockets_group_is_shown_the_group(lab: Lab, box: Box) -> None:
    group = box.socket.group()
    with account(box) as who:
        told = fault(host(lab, box, who))
    assert told.kind == "denied"
    assert f"root:{group} srw-rw----" in told.message
    assert told.remedy.endswith(f"usermod -aG {group} {who.name}")


def test_a_key_that_may_do_nothing_is_shown_what_it_needs(lab: Lab, box: Box) -> None:
    with account(box, key_options='restrict,command="/bin/echo go away"', group_of_socket=True) as who:
        told = fault(host(lab, box, who))
    assert told.kind == "forbidden"
    assert "go away" in told.message
    assert "restrict,port-forwarding" in told.remedy


def test_a_login_shell_that_declines_is_quoted(lab: Lab, box: Box) -> None:
    with account(box, key_options="restrict", shell="/usr/sbin/nologin") as who:
        told = fault(host(lab, box, who))
    assert "This account is currently not available" in told.message


def test_a_command_that_ended_before_it_was_asked_is_quoted(lab: Lab, box: Box) -> None:
    with Watchdog() as watchdog, Bastions() as bastions:
        deadline = Deadline(30, watchdog)
        with connect(host(lab, box), SshOptions(), deadline, bastions) as link:
            stream = link.open_command("echo not at home; echo never >&2; exit 3", deadline)
            wait_for(lambda: is_shut(stream), "the command's end")
            with pytest.raises(HostError) as lost:
                EngineClient(lambda: stream, "dial-stdio", deadline, READ_ONLY)
            assert (lost.value.kind, stream.error_output()) == ("lost", "never; not at home")


def is_shut(stream: CommandStream) -> bool:
    stream.settimeout(5)
    try:
        stream.sendall(b"\n")
    except OSError:
        return True
    return False


def test_a_box_without_the_docker_cli_says_so(lab: Lab, box: Box) -> None:
    programs = box.directory / "bin"
    programs.mkdir(exist_ok=True)
    for name in ("sh", "ls", "id"):
        (programs / name).unlink(missing_ok=True)
        (programs / name).symlink_to(str(shutil.which(name)))
    with (
        account(box, group_of_socket=True) as who,
        sshd_with(box, NO_STREAMLOCAL, f"SetEnv PATH={programs}"),
    ):
        told = fault(host(lab, box, who))
    assert told.kind == "forbidden"
    assert "docker: not found" in told.message
    assert f"{who.name} may use it" in told.message
    assert "AllowStreamLocalForwarding" in told.remedy


def test_what_is_in_the_sockets_place_is_named(lab: Lab, box: Box, other: Path) -> None:
    target = host(lab, box, engine=f"unix://{other}")
    told = fault(target)
    assert (told.kind, f"there is no socket {other}" in told.message) == ("absent", True)
    other.mkdir()
    told = fault(target)
    assert (told.kind, "is a directory" in told.message, "rmdir" in told.remedy) == ("not-a-socket", True, True)
    other.rmdir()
    other.touch()
    assert "is not a socket" in fault(target).message
    other.unlink()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(other))
    told = fault(target)
    assert (told.kind, "nothing listens" in told.message) == ("refused", True)


def test_a_command_that_says_nothing_ends_with_the_hosts_deadline(lab: Lab, box: Box) -> None:
    silent = 'restrict,command="echo still starting >&2; cat > /dev/null"'
    with account(box, key_options=silent, group_of_socket=True) as who:
        found = survey_one(host(lab, box, who), seconds=3)
        wait_for(lambda: who.processes() == [], "the session's processes ending")
    assert isinstance(found, FailedSurvey)
    assert found.fault.kind == "timeout"
    assert "dial-stdio reported: still starting" in found.fault.message


def test_what_a_forced_command_or_a_shell_says_is_quoted(lab: Lab, box: Box) -> None:
    with account(box, key_options=ONE_COMMAND.format(socket="/nope.sock"), group_of_socket=True) as who:
        told = fault(host(lab, box, who))
    assert (told.kind, "there is no socket /nope.sock" in told.message) == ("absent", True)
    with account(box, key_options="restrict", group_of_socket=True, shell="/bin/bash") as who:
        (who.home / ".bashrc").write_text("echo Welcome!\n")
        told = fault(host(lab, box, who))
    assert "it printed 'Welcome!'" in told.message
    assert "start-up files" in told.remedy


def test_where_sessions_are_forbidden_too_the_error_is_whole(lab: Lab, box: Box) -> None:
    with account(box, group_of_socket=True) as who, sshd_with(box, NO_STREAMLOCAL, "MaxSessions 0"):
        told = fault(host(lab, box, who, become=True))
    assert told.kind == "forbidden"
    assert told.message.count("sshd opened no channel") == 3


def test_the_local_socket_is_reported_as_exactly(box: Box, run: Run, other: Path) -> None:
    def told() -> tuple[str, str]:
        done = run("audit", "--local", "--engine", f"unix://{other}", "--format", "json")
        (row,) = json.loads(done.stdout)["hosts"]
        return row["error"]["kind"], row["error"]["phase"]

    assert told() == ("absent", "tunnel")
    other.mkdir()
    assert told() == ("not-a-socket", "tunnel")
    other.rmdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(other))
    assert told() == ("refused", "tunnel")


def test_a_socket_behind_a_closed_directory_differs_from_a_missing_one(lab: Lab, box: Box) -> None:
    closed = box.directory / "closed"
    closed.mkdir(mode=0o700)
    try:
        with account(box) as who:
            told = fault(host(lab, box, who, engine=f"unix://{closed}/docker.sock"))
    finally:
        closed.rmdir()
    assert told.kind == "denied"
    assert "Permission denied" in told.message
    assert "namei" in told.remedy
