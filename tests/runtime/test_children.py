"""What fleetsweep starts ends with it, on every way out. Real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fleetsweep.errors import HostError
from fleetsweep.runtime import children
from fleetsweep.ssh import config_match
from fleetsweep.ssh.config_lookup import look_up
from fleetsweep.ssh.ssh_config import read_ssh_config
from tests.lab.process import is_running, wait_for


def pids_in(path: Path) -> list[int]:
    wait_for(lambda: path.exists() and len(path.read_text().split()) == 2, f"{path.name}")
    return [int(pid) for pid in path.read_text().split()]


SLEEPERS = 'trap "" TERM\nsleep 300 &\necho "$$ $!" > "{pids}.part" && mv "{pids}.part" "{pids}"\nwait\nsleep 300\n'


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """An inventory program that hangs, ignores SIGTERM, and has a child."""
    path = tmp_path / "program"
    path.write_text("#!/bin/sh\n" + SLEEPERS.format(pids=tmp_path / "pids"))
    path.chmod(0o700)
    return path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_before_the_run_begins_ends_the_inventory_program_and_its_child(
    tmp_path: Path, program: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "fleetsweep", "audit", "-i", str(program), "--state-dir", str(tmp_path / "state")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        pids = pids_in(tmp_path / "pids")
        run.send_signal(number)
        output = run.communicate(timeout=30)[0].decode()
    assert run.returncode in {128 + number, -number}, output
    assert "Traceback" not in output
    wait_for(lambda: not any(map(is_running, pids)), "the end of the program and its child")


SIGNAL_WHILE_IT_STARTS = """
import os, signal, subprocess, sys, time
from fleetsweep.__main__ import main
start = subprocess.Popen
def popen(*words, **options):
    child = start(*words, **options)
    while not os.path.exists(pids):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
    return child
subprocess.Popen = popen
pids = sys.argv.pop()
main()
"""


def test_a_signal_while_the_inventory_program_starts_ends_it_too(tmp_path: Path, program: Path) -> None:
    command = ["audit", "-i", str(program), "--state-dir", str(tmp_path / "state"), str(tmp_path / "pids")]
    done = subprocess.run([sys.executable, "-c", SIGNAL_WHILE_IT_STARTS, *command], check=False, timeout=30)
    assert done.returncode == 128 + signal.SIGTERM
    pids = pids_in(tmp_path / "pids")
    wait_for(lambda: not any(map(is_running, pids)), "the end of the program and its child")


def test_a_match_exec_past_its_time_ends_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_match, "EXEC_TIMEOUT_S", 0.5)
    script = SLEEPERS.format(pids=tmp_path / "pids")
    (tmp_path / "script").write_text(script)
    (tmp_path / "config").write_text(f'Match exec "sh {tmp_path}/script secret; true"\n User u\n')
    with pytest.raises(HostError) as caught:
        look_up("box", (), read_ssh_config(str(tmp_path / "config")))
    assert "Match exec (sh) did not end" in caught.value.message
    assert "secret" not in caught.value.message
    pids = pids_in(tmp_path / "pids")
    wait_for(lambda: not any(map(is_running, pids)), "the end of the command and its child")


def test_a_second_signal_ends_a_run_at_once_with_what_it_started(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(SLEEPERS.format(pids=tmp_path / "pids"))
    inventory = tmp_path / "hosts"
    inventory.write_text(f"""box ansible_ssh_common_args='-o ProxyCommand="sh {script}"'\n""")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    command = [sys.executable, "-m", "fleetsweep", "audit", "-i", str(inventory), "--private-key", str(key)]
    (tmp_path / "config").touch()
    command += ["--ssh-config", str(tmp_path / "config"), "--state-dir", str(tmp_path / "state"), "--timeout", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        pids = pids_in(tmp_path / "pids")
        run.send_signal(signal.SIGTERM)
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=30)
    assert run.returncode in {128 + signal.SIGTERM, 128 + signal.SIGINT}
    wait_for(lambda: not any(map(is_running, pids)), "the end of the ProxyCommand and its child")
    assert os.getpid() not in pids


def test_a_program_that_a_thread_is_just_starting_is_ended_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started, may_return = threading.Event(), threading.Event()
    real = subprocess.Popen

    class SlowToReturn(real):  # type: ignore[misc,valid-type]
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            started.set()
            may_return.wait(20)

    monkeypatch.setattr(subprocess, "Popen", SlowToReturn)
    nothing = subprocess.DEVNULL
    command = ["sleep", "300"]
    found: list[children.Child] = []
    thread = threading.Thread(
        target=lambda: found.append(children.Child(command, stdin=nothing, stdout=nothing, stderr=nothing))
    )
    thread.start()
    assert started.wait(20)
    ending = threading.Thread(target=children.kill_all)
    ending.start()
    may_return.set()
    ending.join(20)
    thread.join(20)
    wait_for(lambda: not is_running(found[0].process.pid), "the end of the program")
    found[0].end()
