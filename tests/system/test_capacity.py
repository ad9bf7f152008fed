"""A run adapts to the available memory and threads, or names the limit to raise before any contact."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from fleetsweep.model.host import Host
from fleetsweep.runtime import capacity
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.sweep import workers as fleet
from fleetsweep.sweep.workers import Limits
from tests.lab import Lab, Spec

HOSTS = 40


def inventory(lab: Lab, path: Path) -> Path:
    """One box under forty names."""
    box = lab.box("runner-1")
    names = "".join(f"  h{number}:\n" for number in range(HOSTS))
    shared = {
        "ansible_host": "127.0.0.1",
        "ansible_port": box.port,
        "ansible_user": "root",
        "ansible_ssh_private_key_file": lab.client_key,
        "fleetsweep_engine": f"unix://{box.socket}",
    }
    text = "".join(f"  {key}: {value}\n" for key, value in shared.items())
    path.write_text("all:\n hosts:\n" + names + " vars:\n" + text)
    return path


@pytest.mark.lab
@pytest.mark.parametrize("limit", ["-v 700000", "-v 450000", "-v 2000000"])
def test_with_little_memory_fewer_hosts_are_looked_at_at_once_and_each_has_its_row(
    lab: Lab, tmp_path: Path, limit: str
) -> None:
    lab.box("runner-1").seed([Spec("ws-1", age=timedelta(days=2))])
    done = limited(limit, "sweep", "--yes", "-i", str(inventory(lab, tmp_path / "hosts.yml")), *lab.options()[2:])
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    found = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["status"] for row in found] == ["ok"] + ["guarded"] * (HOSTS - 1)
    assert found[0]["removed"] == "1"


@pytest.mark.lab
def test_with_no_memory_for_one_host_no_host_is_contacted_and_the_limit_to_raise_is_named(
    lab: Lab, tmp_path: Path
) -> None:
    before = lab.box("runner-1").sshd_log.count("Connection from")
    done = limited("-v 300000", "audit", "-i", str(inventory(lab, tmp_path / "hosts.yml")), *lab.options()[2:])
    assert done.returncode == 2, done.stdout
    assert "ulimit -v" in done.stderr
    assert lab.box("runner-1").sshd_log.count("Connection from") == before
    # What it says to raise it to is enough.
    named = done.stderr.partition("ulimit -v ")[2].split()[0]
    again = limited(f"-v {named}", "audit", "-i", str(inventory(lab, tmp_path / "hosts.yml")), *lab.options()[2:])
    assert again.returncode in {0, 4}, again.stderr


def limited(limit: str, *words: str) -> subprocess.CompletedProcess[str]:
    line = f'ulimit {limit}; exec "$0" -m fleetsweep "$@" --format csv'
    return subprocess.run(
        ["sh", "-c", line, sys.executable, *words], check=False, capture_output=True, text=True, timeout=100
    )


# Where a thread can't be had in the middle of a run


def hosts(count: int) -> list[Host]:
    return [Host(f"runner-{number}", "127.0.0.1") for number in range(count)]


def test_a_host_without_room_is_begun_again_once_others_have_ended() -> None:
    tries: list[str] = []

    def work(host: Host, deadline: Deadline) -> str:
        tries.append(host.name)
        if host.name == "runner-1" and tries.count("runner-1") == 1:
            raise RuntimeError("can't start new thread")
        return host.name

    done = fleet.run(hosts(4), work, Limits(4, 20, 20))
    assert [one.value for one in done] == [f"runner-{number}" for number in range(4)]
    assert tries.count("runner-1") == 2


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_where_there_is_room_for_no_host_each_says_what_to_raise(error: Exception) -> None:
    def work(host: Host, deadline: Deadline) -> str:
        raise error

    done = fleet.run(hosts(5), work, Limits(3, 20, 20))
    assert {one.fault.kind for one in done if one.fault is not None} == {"no-room"}
    assert len(done) == 5
    assert all(one.fault is not None and "ulimit" in one.fault.remedy and not one.fault.bug for one in done)


def test_a_host_from_which_something_was_asked_to_go_is_not_begun_again() -> None:
    tries: list[str] = []

    def work(host: Host, deadline: Deadline) -> None:
        tries.append(host.name)
        raise MemoryError

    done = fleet.run(hosts(6), work, Limits(3, 20, 20), may_retry=lambda host: False)
    assert sorted(tries) == [host.name for host in hosts(6)]
    assert [one.fault is not None and one.fault.kind for one in done] == ["no-room"] * 6


def test_what_pythons_own_errors_mean() -> None:
    assert capacity.out_of_room(RuntimeError("can't start new thread"))
    assert capacity.out_of_room(MemoryError())
    assert not capacity.out_of_room(RuntimeError("generator raised StopIteration"))
    assert not capacity.out_of_room(RecursionError())
