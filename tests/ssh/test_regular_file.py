"""Files that a configuration names are read without waiting, within a size, and cost their own hosts alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import paramiko
import pytest

from fleetsweep.errors import HostError, Phase
from fleetsweep.model.host import Host
from fleetsweep.ssh.cache import single_flight
from fleetsweep.ssh.host_keys import HostKeyPolicy, read_known_hosts
from fleetsweep.ssh.identities import KeyFileError, Keyring, load_private_keys
from fleetsweep.ssh.options import SshOptions, Trust
from fleetsweep.ssh.regular_file import CONFIG_LIMIT
from fleetsweep.ssh.route import find_route


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "a key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def in_time(call: Callable[[], object]) -> BaseException | None:
    """What a call raised; it must come back."""
    raised: list[BaseException] = []

    def work() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "it still waits for the file"
    return raised[0] if raised else None


def test_what_takes_for_ever_for_one_argument_holds_up_no_other() -> None:
    release, begun, calls = threading.Event(), threading.Event(), []

    @single_flight
    def slow(name: str) -> str:
        calls.append(name)
        if name == "dead":
            begun.set()
            release.wait(20)
        return name

    threads = [threading.Thread(target=slow, args=("dead",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert begun.wait(20)
    assert in_time(lambda: slow("well")) is None
    release.set()
    for thread in threads:
        thread.join(20)
    assert sorted(calls) == ["dead", "well"]


def test_a_pipe_for_a_known_hosts_file_is_refused_by_name(fifo: Path) -> None:
    error = in_time(lambda: read_known_hosts((str(fifo),)))
    assert isinstance(error, HostError)
    assert (error.phase, error.kind) == (Phase.HOST_KEY, "known-hosts")
    assert f"{fifo}: is not a regular file" in error.message


def test_dev_null_knows_no_host_and_keeps_no_new_key(key: Path) -> None:
    presented = load_private_keys(str(key))[0]
    assert read_known_hosts(("/dev/null",)).key_types("box", 22) == ()
    policy = HostKeyPolicy(("/dev/null",), "box", 22, Trust.ACCEPT_NEW)
    with pytest.raises(HostError) as caught:
        policy.missing_host_key(paramiko.SSHClient(), "box", presented)
    assert "can't be kept" in caught.value.message


@pytest.mark.parametrize("text", ["Include {}\n", "Host b*\n Include {}\n"])
def test_a_pipe_that_an_ssh_configuration_includes_is_refused_by_name(tmp_path: Path, fifo: Path, text: str) -> None:
    (tmp_path / "config").write_text(text.format(fifo))
    error = in_time(lambda: find_route(Host("box", "box"), SshOptions(ssh_config=str(tmp_path / "config"))))
    assert isinstance(error, HostError)
    assert str(fifo) in error.message


def test_a_pipe_for_an_ssh_configuration_is_refused_by_name(fifo: Path) -> None:
    error = in_time(lambda: find_route(Host("box", "box"), SshOptions(ssh_config=str(fifo))))
    assert isinstance(error, HostError)
    assert f"{fifo}: is not a regular file" in error.message


def test_configurations_that_include_each_other_many_times_end(tmp_path: Path) -> None:
    for level in range(12):
        (tmp_path / f"{level}").write_text(f"Include {tmp_path}/{level + 1}\n" * 10)
    error = in_time(lambda: find_route(Host("box", "box"), SshOptions(ssh_config=str(tmp_path / "0"))))
    assert isinstance(error, HostError)
    assert "files" in error.message


def test_a_pipe_or_a_huge_file_for_a_certificate_or_a_public_key_is_not_waited_for(
    tmp_path: Path, key: Path, fifo: Path
) -> None:
    error = in_time(lambda: Keyring((str(key),), certificate=str(fifo)).close())
    assert isinstance(error, KeyFileError)
    assert str(fifo) in error.message
    with key.open("ab") as file:
        file.truncate(CONFIG_LIMIT + 1)
    with pytest.raises(KeyFileError, match="larger than 1 MiB"):
        load_private_keys(str(key))
    encrypted = tmp_path / "encrypted"
    subprocess.run(["ssh-keygen", "-q", "-m", "PEM", "-t", "rsa", "-N", "secret", "-f", str(encrypted)], check=True)
    (tmp_path / "encrypted.pub").unlink()
    os.mkfifo(tmp_path / "encrypted.pub")
    assert isinstance(in_time(lambda: load_private_keys(str(encrypted))), KeyFileError)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700, 0o640, 0o604, 0o644, 0o601, 0o620])
def test_a_key_that_others_may_read_is_refused_where_openssh_refuses_it(key: Path, mode: int) -> None:
    key.chmod(mode)
    # ssh-keygen -y reads a private key as ssh does.
    ssh = subprocess.run(["ssh-keygen", "-y", "-f", str(key)], capture_output=True, text=True, check=False)
    if ssh.returncode == 0:
        assert load_private_keys(str(key))
        return
    assert "UNPROTECTED" in ssh.stderr
    with pytest.raises(KeyFileError) as caught:
        load_private_keys(str(key))
    assert f"mode {mode:04o}" in caught.value.message
    assert caught.value.public is not None, "an agent that has it may still sign with it"
    subprocess.run(["/bin/sh", "-c", caught.value.remedy], check=True)
    assert load_private_keys(str(key))


def test_a_key_of_another_account_is_used_as_openssh_uses_it(key: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    os.chown(key, 65534, 65534)
    key.chmod(0o644)
    assert subprocess.run(["ssh-keygen", "-y", "-f", str(key)], capture_output=True, check=False).returncode == 0
    assert load_private_keys(str(key))


def test_a_key_in_a_usual_place_that_others_may_read_is_passed_over_with_the_reason(
    tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir()
    shutil.copy(key, tmp_path / ".ssh" / "id_ed25519")
    (tmp_path / ".ssh" / "id_ed25519").chmod(0o644)
    with pytest.raises(HostError) as caught:
        Keyring(())
    assert caught.value.kind == "no-key"
    assert "may be read by others than you (mode 0644)" in caught.value.message
