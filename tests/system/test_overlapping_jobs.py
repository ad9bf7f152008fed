"""The incident, and overlapping jobs, on a real engine with jobs that are really killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.lab import Box, Lab, Spec

pytestmark = pytest.mark.lab

LABEL = "fleetsweep.run"
STEPS = ("baseline", "create", "teardown")

# A job as a runner would start it: it provisions its workspaces, says so, and never gets to its teardown.
JOB = """
import sys, time, docker
api = docker.APIClient(base_url=sys.argv[1], version="1.41")
for name in sys.argv[3:]:
    made = api.create_container("molecule-local/workspace-template-x", ["/bin/sleep", "1000000"], name=name,
        labels={"fleetsweep.run": sys.argv[2]}, host_config=api.create_host_config(network_mode="none"))
    api.start(made["Id"])
print("provisioned", flush=True)
time.sleep(1000)
"""


def start_job(box: Box, run_id: str, *names: str) -> subprocess.Popen[bytes]:
    """A job in a process group of its own, that has made its containers."""
    job = subprocess.Popen(
        [sys.executable, "-c", JOB, f"unix://{box.socket}", run_id, *names],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert job.stdout is not None
    assert job.stdout.readline() == b"provisioned\n"
    return job


def kill(job: subprocess.Popen[bytes]) -> None:
    """As a runner that is cancelled is killed: no trap runs."""
    os.killpg(job.pid, signal.SIGKILL)
    job.communicate()


def local(lab: Lab, box: Box) -> list[str]:
    return ["--local", "--engine", f"unix://{box.socket}", "--state-dir", str(lab.state)]


def totals(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    found: dict[str, int] = json.loads(done.stdout)["totals"]
    return found


def test_the_incident_two_orphans_of_a_killed_job_go_by_the_hourly_sweep_and_nothing_else(lab: Lab, run: Run) -> None:
    box = lab.box("runner-1")
    box.import_image("molecule-local/workspace-template-x:latest", "x")
    killed = start_job(box, "1-1", "ws-orphan-1", "ws-orphan-2")
    kill(killed)
    assert killed.returncode == -signal.SIGKILL
    in_flight = start_job(box, "2-1", "ws-inflight")
    try:
        third = run("teardown", *local(lab, box), "--run-label", f"{LABEL}=3-1", "--format", "json")
        assert (third.returncode, totals(third)["removed"]) == (0, 0), third.stderr
        assert box.running() == {"ws-orphan-1", "ws-orphan-2", "ws-inflight"}

        hourly = ("sweep", *lab.options(), "--host", "runner-1", "--yes", "--format", "json")
        young = run(*hourly)
        assert (young.returncode, totals(young)["removed"]) == (0, 0), young.stderr

        box.grow_old(["ws-orphan-1", "ws-orphan-2"], timedelta(hours=2, minutes=10))
        done = run(*hourly)
        assert (done.returncode, totals(done)["removed"]) == (0, 2), done.stderr
        assert box.running() == {"ws-inflight"}

        again = run(*hourly)
        assert (again.returncode, totals(again)["stale"], totals(again)["removed"]) == (0, 0, 0)
    finally:
        kill(in_flight)


@pytest.mark.parametrize(
    "order",
    [
        # The known hole of baselines: the other's container is born after this one's baseline.
        [("1", "baseline"), ("2", "baseline"), ("1", "create"), ("2", "create"), ("1", "teardown"), ("2", "teardown")],
        [("1", "baseline"), ("1", "create"), ("2", "baseline"), ("2", "create"), ("2", "teardown"), ("1", "teardown")],
        [("1", "baseline"), ("1", "create"), ("2", "baseline"), ("1", "teardown"), ("2", "create"), ("2", "teardown")],
    ],
    ids=["side by side", "one inside the other", "one after the other"],
)
def test_two_overlapping_jobs_each_take_down_their_own(
    lab: Lab, run: Run, tmp_path: Path, order: Sequence[tuple[str, str]]
) -> None:
    box = lab.box("runner-2")
    at_work: set[str] = set()
    for job, what in order:
        before = tmp_path / f"{job}.json"
        if what == "baseline":
            assert run("baseline", *local(lab, box), "--save", str(before)).returncode == 0
        elif what == "create":
            box.seed([Spec(f"ws-{job}-{number}", labels={LABEL: f"{job}-1"}) for number in range(2)])
            at_work |= {f"ws-{job}-0", f"ws-{job}-1"}
        else:
            scope = ("--baseline", str(before), "--run-label", f"{LABEL}={job}-1")
            done = run("teardown", *local(lab, box), *scope, "--format", "json")
            assert (done.returncode, totals(done)["removed"]) == (0, 2), done.stdout + done.stderr
            at_work -= {f"ws-{job}-0", f"ws-{job}-1"}
        assert box.running() == at_work


def test_a_teardown_takes_its_volumes_and_networks_from_a_real_engine(lab: Lab, run: Run) -> None:
    box = lab.box("runner-3")
    with box.api() as api:
        for run_id in ("1-1", "2-1"):
            api.create_volume(f"data-{run_id}", labels={LABEL: run_id})
            api.create_network(f"net-{run_id}", driver="bridge", internal=True, labels={LABEL: run_id})
    try:
        scope = ("--run-label", f"{LABEL}=1-1", "--volumes", "--networks")
        done = run("teardown", *lab.options(), "--host", "runner-3", *scope, "--format", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        (row,) = json.loads(done.stdout)["hosts"]
        assert [item["outcome"] for item in row["resources"]] == ["removed", "removed"]
        with box.api() as api:
            assert [item["Name"] for item in api.volumes()["Volumes"]] == ["data-2-1"]
            assert "net-1-1" not in {item["Name"] for item in api.networks()}
            assert "net-2-1" in {item["Name"] for item in api.networks()}
    finally:
        with box.api() as api:
            for item in api.volumes()["Volumes"] or ():
                api.remove_volume(item["Name"])
            for item in api.networks():
                if item["Name"].startswith("net-"):
                    api.remove_network(item["Id"])
