"""Audit and sweep on real sshds and real dockerds."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.lab import Lab, Spec
from tests.lab.box import NEVER, WORKSPACE

pytestmark = pytest.mark.lab

DAYS = timedelta(days=2)


def stale(count: int, state: str = "running") -> list[Spec]:
    return [Spec(f"ws-{number}", state=state, age=DAYS) for number in range(count)]


def rows(output: str) -> dict[str, dict[str, object]]:
    return {row["host"]: row for row in json.loads(output)["hosts"]}


def test_a_sweep_of_one_host_leaves_the_others_alone(lab: Lab, run: Run) -> None:
    for box in lab.boxes[:2]:
        box.seed(stale(2))
    done = run("sweep", *lab.options(), "--yes", "--host", "runner-2", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert list(rows(done.stdout)) == ["runner-2"]
    assert json.loads(done.stdout)["totals"]["removed"] == 2
    assert lab.box("runner-1").names() == {"ws-0", "ws-1"}
    assert lab.box("runner-2").names() == set()


def test_more_candidates_than_the_cap_guard_their_box_and_no_other(lab: Lab, run: Run) -> None:
    lab.box("runner-1").seed(stale(101, NEVER))
    lab.box("runner-3").seed(stale(1))
    done = run("sweep", *lab.options(), "--yes", "--format", "json")
    assert done.returncode == 4, done.stderr
    found = rows(done.stdout)
    assert found["runner-1"]["status"] == "guarded"
    assert found["runner-1"]["guard"]["found"] == 101  # type: ignore[index]
    assert len(lab.box("runner-1").names()) == 101
    assert found["runner-3"]["removed"] == 1
    assert lab.box("runner-3").names() == set()


def test_a_box_whose_sshd_is_down_does_not_hold_up_the_others(lab: Lab, run: Run) -> None:
    lab.box("runner-2").seed(stale(1))
    lab.box("runner-1").stop_sshd()
    try:
        done = run("sweep", *lab.options(), "--yes", "--format", "json")
    finally:
        lab.box("runner-1").start_sshd()
    assert done.returncode == 3, done.stderr
    found = rows(done.stdout)
    assert found["runner-1"]["status"] == "unreachable"
    assert found["runner-1"]["error"]["phase"] == "connect"  # type: ignore[index]
    assert found["runner-2"]["removed"] == 1
    assert lab.box("runner-2").names() == set()


def test_a_changed_host_key_is_refused_before_any_log_in(lab: Lab, run: Run) -> None:
    box = lab.box("runner-1")
    kept = {name: (box.directory / name).read_bytes() for name in ("host_key", "host_key.pub")}
    box.stop_sshd()
    box.make_host_key()
    box.start_sshd()
    seen = len(box.sshd_log)
    try:
        done = run("audit", *lab.options(), "--format", "json")
        log = box.sshd_log[seen:]
    finally:
        box.stop_sshd()
        for name, content in kept.items():
            (box.directory / name).write_bytes(content)
        box.start_sshd()
    error = rows(done.stdout)["runner-1"]["error"]
    assert done.returncode == 3
    assert error["phase"] == "host-key"  # type: ignore[index]
    assert error["message"].count("SHA256:") == 2  # type: ignore[index]
    assert "Connection from" in log
    assert not any(word in log for word in ("Accepted", "Failed", "authenticating user", "publickey"))


def test_an_unknown_host_key_is_refused(lab: Lab, run: Run, tmp_path: Path) -> None:
    empty = tmp_path / "known_hosts"
    empty.touch()
    done = run("audit", "-i", str(lab.inventory), "--known-hosts", str(empty), "--format", "json")
    assert done.returncode == 3
    assert {row["error"]["phase"] for row in rows(done.stdout).values()} == {"host-key"}  # type: ignore[index]


def test_a_sweep_without_a_terminal_or_yes_contacts_no_host(lab: Lab, run: Run) -> None:
    before = [box.sshd_log.count("Connection from") for box in lab.boxes]
    done = run("sweep", *lab.options())
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert [box.sshd_log.count("Connection from") for box in lab.boxes] == before


def test_old_leaks_are_found_in_whatever_state_they_are(lab: Lab, run: Run) -> None:
    box = lab.box("runner-1")
    box.seed(
        [
            Spec("moved", age=DAYS),
            Spec("ws-never", state=NEVER, age=DAYS),
            Spec("ws-exited", state="exited", age=DAYS),
            Spec("ws-paused", state="paused", age=DAYS),
            Spec("ws-restarted", age=timedelta(minutes=1), created_age=DAYS),
            Spec("ws-kept", age=DAYS, labels={"fleetsweep.keep": "until:2100-01-01T00:00Z"}),
            Spec("ws-swarm", age=DAYS, labels={"com.docker.swarm.task.id": "1"}),
            Spec("postgres", image="postgres:16", age=DAYS),
        ]
    )
    box.import_image(WORKSPACE, "a newer build")
    try:
        done = run("sweep", *lab.options(), "--host", "runner-1", "--yes", "--format", "json")
    finally:
        box.import_image(WORKSPACE, WORKSPACE)
    assert done.returncode == 0, done.stderr
    reasons = {item["name"]: item["reason"] for item in rows(done.stdout)["runner-1"]["decisions"]}  # type: ignore[attr-defined]
    assert reasons == {
        "moved": "stale",
        "ws-never": "stale",
        "ws-exited": "stale",
        "ws-paused": "stale",
        "ws-restarted": "young",
        "ws-kept": "protected",
        "ws-swarm": "managed",
    }
    assert box.names() == {"ws-restarted", "ws-kept", "ws-swarm", "postgres"}


def test_the_ini_inventory_selects_the_same_fleet(lab: Lab, run: Run) -> None:
    ini = str(lab.inventory.with_suffix(".ini"))
    done = run("audit", "-i", ini, "--known-hosts", str(lab.known_hosts), "-l", "runners,!runner-2", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert list(rows(done.stdout)) == ["runner-1", "runner-3"]


def test_the_local_engine_needs_no_ssh(lab: Lab, run: Run) -> None:
    box = lab.box("runner-1")
    box.seed(stale(5))
    engine = f"unix://{box.socket}"
    done = run("sweep", "--local", "--engine", engine, "--yes", "--state-dir", str(lab.state), "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["totals"]["removed"] == 5
    assert box.names() == set()


def test_a_box_without_its_socket_says_so(lab: Lab, run: Run) -> None:
    box = lab.box("runner-1")
    target = f"root@127.0.0.1:{box.port}"
    key = str(lab.directory / "id_ed25519")
    options = ["--known-hosts", str(lab.known_hosts), "--private-key", key, "--engine", "unix:///nowhere.sock"]
    done = run("audit", "--host", target, *options, "--format", "json")
    assert done.returncode == 3
    (row,) = rows(done.stdout).values()
    assert row["error"]["phase"] == "tunnel"  # type: ignore[index]
    assert "/nowhere.sock" in row["error"]["message"]  # type: ignore[index]


def test_two_names_of_one_engine_are_swept_once(lab: Lab, run: Run, tmp_path: Path) -> None:
    box = lab.box("runner-1")
    box.seed(stale(1))
    twice = tmp_path / "inventory.yml"
    text = lab.inventory.read_text().split("    runner-2:")[0]
    twice.write_text(text + text[text.index("    runner-1:") :].replace("runner-1", "alias-1"))
    done = run("sweep", *lab.options()[2:], "-i", str(twice), "--yes", "--format", "json")
    assert done.returncode == 4, done.stderr
    assert rows(done.stdout)["alias-1"]["guard"]["name"] == "identity"  # type: ignore[index]
    assert json.loads(done.stdout)["totals"]["removed"] == 1


def test_an_unwritable_state_directory_stops_the_sweep_but_not_the_audit(lab: Lab, run: Run, tmp_path: Path) -> None:
    lab.box("runner-1").seed(stale(1))
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    options = [*lab.options()[:4], "--state-dir", str(shared), "--host", "runner-1"]
    seen = lab.box("runner-1").sshd_log
    refused = run("sweep", *options, "--yes")
    assert refused.returncode == 2
    assert "chmod 700" in refused.stderr
    assert lab.box("runner-1").sshd_log == seen
    assert lab.box("runner-1").names() == {"ws-0"}
    assert run("audit", *options).returncode == 0


@pytest.mark.parametrize(("answer", "left"), [("n\n", {"ws-0"}), ("\n", {"ws-0"}), ("yes\n", set[str]())])
def test_the_prompt_takes_only_a_yes_for_a_yes(lab: Lab, answer: str, left: set[str]) -> None:
    box = lab.box("runner-1")
    box.seed(stale(1))
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "fleetsweep", "sweep", *lab.options(), "--host", "runner-1"],
        stdin=slave,
        stderr=slave,
        stdout=subprocess.PIPE,
    )
    os.close(slave)
    try:
        _read_until(lambda: os.read(master, 4096), b"[y/N]")
        os.write(master, answer.encode())
        child.communicate(timeout=60)
    finally:
        os.close(master)
    assert child.returncode == 0
    assert box.names() == left


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_a_run_that_still_reports(lab: Lab, number: signal.Signals) -> None:
    box = lab.box("runner-1")
    box.stop_sshd()
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        silent.bind(("127.0.0.1", box.port))
        silent.listen()
        child = subprocess.Popen(
            [sys.executable, "-m", "fleetsweep", "audit", *lab.options(), "-f", "1", "-T", "3s", "--format", "json"],
            stdout=subprocess.PIPE,
            text=True,
        )
        silent.settimeout(30)
        held, _ = silent.accept()
        child.send_signal(number)
        output, _ = child.communicate(timeout=60)
        held.close()
    box.start_sshd()
    assert child.returncode == 128 + number
    assert [row["status"] for row in json.loads(output)["hosts"]] == ["unreachable", "interrupted", "interrupted"]


def _read_until(read: Callable[[], bytes], wanted: bytes) -> None:
    seen = b""
    while wanted not in seen:
        seen += read()


def test_the_installed_script_answers_too(run: Run) -> None:
    assert shutil.which("fleetsweep", path=str(Path(sys.executable).parent)) is not None
    assert run("--version").stdout.startswith("fleetsweep")
