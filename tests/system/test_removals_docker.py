"""Containers that a real dockerd can't remove, or that restart again and again."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.lab import Box, Lab
from tests.lab.box import WORKSPACE, Spec
from tests.lab.process import wait_for

OLD = timedelta(days=2)


def sweep(run: Run, lab: Lab, *words: str) -> tuple[int, dict[str, tuple[str, str | None]]]:
    """Sweep the first box. Answers the exit code, and each container's outcome and error."""
    done = run("sweep", *lab.options(), "--host", "runner-1", "--yes", "--format", "json", *words)
    assert done.stdout, done.stderr
    (row,) = json.loads(done.stdout)["hosts"]
    return done.returncode, {each["name"]: (each["outcome"], each["error"]) for each in row["decisions"]}


@contextmanager
def stopped_shim(box: Box, name: str) -> Iterator[None]:
    """While the block runs, nothing can be done to a container: the process that looks after it is stopped."""
    with box.api() as api:
        process = int(api.inspect_container(name)["State"]["Pid"])
    shim = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(shim, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(shim, signal.SIGCONT)


def test_one_that_a_real_engine_cannot_kill_costs_none_of_the_others(lab: Lab, box: Box, run: Run) -> None:
    box.seed([Spec(f"ws-{number}", age=OLD) for number in range(6)] + [Spec("ws-wedged", age=OLD)])
    with stopped_shim(box, "ws-wedged"):
        code, told = sweep(run, lab)
        assert told.pop("ws-wedged")[0] == "unknown"
        assert (code, set(told.values()), len(told)) == (5, {("removed", None)}, 6)
        assert box.names() == {"ws-wedged"}
    # What the engine was asked for it does when it can.
    wait_for(lambda: box.names() == set(), "the removal ending")


def test_a_restart_loop_is_as_old_as_its_creation(lab: Lab, box: Box, run: Run) -> None:
    with box.api() as api:
        settings = api.create_host_config(network_mode="none", restart_policy={"Name": "always"})
        made = api.create_container(WORKSPACE, ["/bin/sleep", "1"], name="ws-loop", host_config=settings)
        api.start(made["Id"])
    box.grow_old(["ws-loop"], timedelta(hours=50))
    with box.api() as api:
        before = api.inspect_container("ws-loop")["State"]["StartedAt"]
        wait_for(lambda: api.inspect_container("ws-loop")["State"]["StartedAt"] != before, "the loop going round")
    words = [*lab.options(), "--host", "runner-1", "--max-lifetime", "1d", "--format", "json"]
    plan = lab.directory / "loop.json"
    assert run("audit", *words, "--save-plan", str(plan)).returncode == 0
    with box.api() as api:
        planned = api.inspect_container("ws-loop")["State"]["StartedAt"]
        wait_for(lambda: api.inspect_container("ws-loop")["State"]["StartedAt"] != planned, "the next round")
    done = run("sweep", "--plan", str(plan), "--yes", "--format", "json", *lab.options())
    (row,) = json.loads(done.stdout)["hosts"]
    (decision,) = row["decisions"]
    assert (done.returncode, decision["outcome"], decision["reason"]) == (0, "removed", "lifetime"), done.stdout
    assert box.names() == set()


@pytest.mark.parametrize("shared", ["NetworkMode", "PidMode", "IpcMode"])
def test_what_a_newcomer_has_joined_since_the_plan_stays(lab: Lab, box: Box, run: Run, shared: str) -> None:
    words = [*lab.options(), "--host", "runner-1", "--format", "json"]
    with box.api() as api:
        settings = api.create_host_config(network_mode="none", ipc_mode="shareable")
        made = api.create_container(WORKSPACE, ["/bin/sleep", "1000000"], name="ws-owner", host_config=settings)
        api.start(made["Id"])
    box.seed([Spec("ws-other", age=OLD)])
    box.grow_old(["ws-owner"], OLD)
    plan = lab.directory / f"{shared}.json"
    assert run("audit", *words, "--save-plan", str(plan)).returncode == 0
    with box.api() as api:
        joining = api.create_host_config(network_mode="none")
        joining[shared] = "container:ws-owner"
        joined = api.create_container(WORKSPACE, ["/bin/sleep", "1000000"], name="job-9", host_config=joining)
        api.start(joined["Id"])
    done = run("sweep", "--plan", str(plan), "--yes", "--format", "json", *lab.options())
    (row,) = json.loads(done.stdout)["hosts"]
    told = {each["name"]: (each["outcome"], each["error"]) for each in row["decisions"]}
    assert told == {"ws-owner": ("changed", "it is in use by job-9 now"), "ws-other": ("removed", None)}
    assert box.running() == {"ws-owner", "job-9"}
    box.clear()
