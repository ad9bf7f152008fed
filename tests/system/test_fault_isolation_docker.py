"""On a real dockerd, a container that can't be inspected, or that others depend on, affects only itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from tests.lab import Box, Lab, Spec
from tests.lab.process import wait_for

pytestmark = pytest.mark.lab

DAYS = timedelta(days=2)


def decisions(text: str) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for row in json.loads(text)["hosts"] for each in row["decisions"]}


def shim_of(container_id: str) -> int:
    """The process of containerd's shim that holds a container."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"containerd-shim-runc-v2") and container_id.encode() in words:
            return int(entry.parent.name)
    raise AssertionError("the container has no shim")


@contextmanager
def wedged(box: Box, container_id: str) -> Iterator[None]:
    """A container that dockerd waits for, for ever: it holds its lock, so its inspect hangs and the list does not."""
    shim = shim_of(container_id)
    os.kill(shim, signal.SIGSTOP)
    killer = subprocess.Popen(
        ["docker", "-H", f"unix://{box.socket}", "kill", container_id],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with box.api() as api:
            api.timeout = 1

            def hangs() -> bool:
                try:
                    api.inspect_container(container_id)
                except OSError:
                    return True
                return False

            wait_for(hangs, "the inspect hanging")
        yield
    finally:
        os.kill(shim, signal.SIGCONT)
        killer.wait(30)


def test_a_wedged_container_is_kept_and_the_others_are_swept(lab: Lab, run: Run) -> None:
    box = lab.box("runner-1")
    ids = box.seed([Spec(name, age=DAYS) for name in ("ws-1", "ws-2", "ws-wedged", "ws-4")])
    with wedged(box, ids["ws-wedged"]):
        done = run("sweep", *lab.options(), "--host", "runner-1", "--yes", "--format", "json")
    assert done.returncode == 3, done.stdout + done.stderr
    found = decisions(done.stdout)
    assert {name: (each["reason"], each["outcome"]) for name, each in found.items()} == {
        "ws-1": ("stale", "removed"),
        "ws-2": ("stale", "removed"),
        "ws-wedged": ("unreadable", None),
        "ws-4": ("stale", "removed"),
    }
    assert "did not arrive" in found["ws-wedged"]["error"]
    assert box.names() == {"ws-wedged"}


def test_a_wedged_container_of_another_user_costs_no_exit_code(lab: Lab, run: Run) -> None:
    box = lab.box("runner-2")
    ids = box.seed([Spec("ws-1", age=DAYS), Spec("db-wedged", "postgres:16", age=DAYS)])
    with wedged(box, ids["db-wedged"]):
        done = run("sweep", *lab.options(), "--host", "runner-2", "--yes", "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert box.names() == {"db-wedged"}


def join(box: Box, name: str, kind: str, owner: str) -> None:
    """A young container that shares a namespace of another one."""
    with box.api() as api:
        if kind == "network":
            settings = api.create_host_config(network_mode=f"container:{owner}")
        else:
            settings = api.create_host_config(network_mode="none", pid_mode=f"container:{owner}")
        made = api.create_container(
            "molecule-local/workspace-template-x", ["/bin/sleep", "1000000"], name=name, host_config=settings
        )
        api.start(made["Id"])


@pytest.mark.parametrize("kind", ["network", "process"])
def test_what_a_young_container_lives_on_stays_and_names_it(lab: Lab, run: Run, kind: str) -> None:
    box = lab.box("runner-3")
    box.seed([Spec("ws-owner", age=DAYS), Spec("ws-other", age=DAYS)])
    join(box, "ws-young", kind, "ws-owner")
    for words in (["audit"], ["sweep", "--yes"]):
        done = run(*words, *lab.options(), "--host", "runner-3", "--format", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        found = decisions(done.stdout)
        assert found["ws-owner"]["reason"] == "in-use"
        assert "ws-young" in found["ws-owner"]["error"]
    assert box.running() == {"ws-owner", "ws-young"}
    explained = run("explain", *lab.options(), "--host", "runner-3", "ws-owner")
    assert "keep (in-use)" in explained.stdout, explained.stdout
    assert "ws-young" in explained.stdout


def test_where_both_go_the_one_that_lives_on_the_other_goes_first(lab: Lab, run: Run) -> None:
    box = lab.box("runner-3")
    box.seed([Spec("ws-owner", labels={"run": "7"})])
    with box.api() as api:
        settings = api.create_host_config(network_mode="container:ws-owner")
        made = api.create_container(
            "postgres:16", ["/bin/sleep", "1000000"], name="sidecar", labels={"run": "7"}, host_config=settings
        )
        api.start(made["Id"])
    done = run("teardown", *lab.options(), "--host", "runner-3", "--run-label", "run=7", "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert box.names() == set()
