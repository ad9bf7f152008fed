"""Verification of a presented host key, and saving a new one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import paramiko
import pytest

from fleetsweep.errors import HostError, Phase
from fleetsweep.ssh.host_keys import HostKeyPolicy, make_directory, read_known_hosts
from fleetsweep.ssh.options import Trust
from tests.ssh.sshd import HOST_KEY, USER_KEY
from tests.ssh.unblocked import error_of

LINE = f"box {HOST_KEY.get_name()} {HOST_KEY.get_base64()}\n"


def fault_of(policy: HostKeyPolicy, key: paramiko.PKey = HOST_KEY) -> HostError:
    with pytest.raises(HostError) as caught:
        policy.missing_host_key(paramiko.SSHClient(), "box", key)
    assert not policy.verified
    assert caught.value.phase is Phase.HOST_KEY
    return caught.value


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def test_a_known_key_is_verified(tmp_path: Path) -> None:
    (tmp_path / "known").write_text(LINE)
    policy = HostKeyPolicy((str(tmp_path / "known"),), "box", 22, Trust.STRICT)
    policy.missing_host_key(paramiko.SSHClient(), "box", HOST_KEY)
    assert policy.verified
    assert policy.key is HOST_KEY


@pytest.mark.parametrize("trust", Trust)
def test_a_changed_key_is_refused_whatever_the_trust(tmp_path: Path, trust: Trust) -> None:
    (tmp_path / "known").write_text(LINE)
    fault = fault_of(HostKeyPolicy((str(tmp_path / "known"),), "box", 22, trust), USER_KEY)
    assert fault.kind == "changed"
    assert f"ssh-keygen -R box -f {tmp_path / 'known'}" in fault.remedy
    assert (tmp_path / "known").read_text() == LINE


def test_a_revoked_key_is_refused_even_if_it_is_known(tmp_path: Path) -> None:
    (tmp_path / "known").write_text(LINE + "@revoked * " + LINE.partition(" ")[2])
    fault = fault_of(HostKeyPolicy((str(tmp_path / "known"),), "box", 22, Trust.ACCEPT_NEW))
    assert (fault.kind, "known:2 revokes" in fault.message) == ("revoked", True)


def test_an_unknown_key_is_refused_with_the_command_that_adds_it(tmp_path: Path) -> None:
    file = tmp_path / "new directory" / "known"
    fault = fault_of(HostKeyPolicy((str(file),), "box", 22, Trust.STRICT, scan="echo line"))
    assert fault.kind == "unknown"
    command = fault.remedy.partition(": ")[2]
    subprocess.run(["/bin/sh", "-c", command], check=True)
    assert file.read_text() == "line\n"
    assert make_directory((str(file),)) == ""


def test_a_new_key_is_saved_on_a_line_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "known"
    file.write_text("# a comment without a line break")
    policy = HostKeyPolicy((str(file),), "box", 2222, Trust.ACCEPT_NEW)
    policy.missing_host_key(paramiko.SSHClient(), "box", HOST_KEY)
    assert policy.verified
    assert file.read_text() == f"# a comment without a line break\n[box]:2222 {LINE.partition(' ')[2]}"


def test_a_pipe_as_known_hosts_file_is_refused_by_name(fifo: Path) -> None:
    error = error_of(lambda: read_known_hosts((str(fifo),)))
    assert isinstance(error, HostError)
    assert (error.phase, error.kind) == (Phase.HOST_KEY, "known-hosts")
    assert f"{fifo}: is not a regular file" in error.message


def test_dev_null_has_no_host_and_saves_no_key() -> None:
    assert read_known_hosts(("/dev/null",)).key_types("box", 22) == ()
    assert "can't be saved" in fault_of(HostKeyPolicy(("/dev/null",), "box", 22, Trust.ACCEPT_NEW)).message
