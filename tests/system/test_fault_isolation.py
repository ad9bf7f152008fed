"""On scripted engines, one odd container or file affects only itself, and the exit code shows it."""

from __future__ import annotations

import json
import os
import re
import threading
from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import Run
from tests.lab import Lab
from tests.lab.scripted_engine import Response, ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir, deletes, leaks

ODD = "f" * 64


def told(text: str) -> dict[str, tuple[str, str | None]]:
    """Each container's reason and outcome."""
    rows = json.loads(text)["hosts"]
    return {each["name"]: (each["reason"], each["outcome"]) for row in rows for each in row["decisions"]}


def errors(text: str) -> dict[str, Any]:
    return {each["name"]: each["error"] for row in json.loads(text)["hosts"] for each in row["decisions"]}


@pytest.mark.parametrize("status", [500, 404])
def test_an_inspect_that_is_refused_keeps_its_container_and_no_other(workdir: Workdir, run: Run, status: int) -> None:
    engine = ScriptedEngine([*leaks(3), ScriptedContainer(ODD, "ws-odd", age=timedelta(days=2))])
    engine.on(f"GET /containers/{ODD}/json", lambda _: Response(status, {"message": "storage driver failed"}))
    with engine.serve(workdir.socket) as url:
        done = run(*workdir.sweep(url))
    assert done.returncode == 3, done.stdout
    assert told(done.stdout) == {
        **{f"ws-{number}": ("stale", "removed") for number in range(3)},
        "ws-odd": ("unreadable", None),
    }
    assert errors(done.stdout)["ws-odd"]
    assert ODD not in deletes(engine)


def test_an_inspect_that_never_ends_keeps_its_container_and_no_other(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine([*leaks(3), ScriptedContainer(ODD, "ws-odd", age=timedelta(days=2))])
    over = threading.Event()

    def hang(_: re.Match[str]) -> Response:
        over.wait(60)
        return Response(503)

    engine.on(f"GET /containers/{ODD}/json", hang)
    try:
        with engine.serve(workdir.socket) as url:
            done = run(*workdir.sweep(url))
    finally:
        over.set()
    assert done.returncode == 3, done.stdout
    assert told(done.stdout)["ws-odd"] == ("unreadable", None)
    assert len(deletes(engine)) == 3


def test_a_name_that_a_pattern_takes_too_long_on_keeps_its_container(workdir: Workdir, run: Run) -> None:
    name = "ws-" + "-" * 900
    odd = ScriptedContainer(ODD, name, "postgres:16", age=timedelta(days=2))
    engine = ScriptedEngine([ScriptedContainer("e" * 64, "ws-1-2-tmp", age=timedelta(days=2)), odd])
    with engine.serve(workdir.socket) as url:
        done = run(*workdir.sweep(url, "--name", "^ws-(-|--)*-.*-.*tmp$"))
    assert done.returncode == 3, done.stdout + done.stderr
    assert told(done.stdout) == {name: ("unreadable", None)}
    assert deletes(engine) == []


def test_what_was_made_in_the_second_of_a_baseline_was_there_before(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine([])
    before = workdir.directory / "before.json"
    with engine.serve(workdir.socket) as url:
        done = run("baseline", *workdir.local(url), "--save", str(before), "--name", "^never-$")
        assert done.returncode == 0, done.stderr
        taken_ns = json.loads(before.read_text())["hosts"][0]["taken_ns"]
        # By the engine's own clock: 0.3 s into the second that the baseline was taken in, and two seconds later.
        for container_id, since in ((ODD, 0.3), ("e" * 64, 2.0)):
            age = engine.began.timestamp() - taken_ns / 1e9 - since
            engine.containers[container_id] = ScriptedContainer(
                container_id, f"ws-{since}", age=timedelta(seconds=age), started_age=timedelta(seconds=age)
            )
        torn = run("teardown", *workdir.local(url), "--baseline", str(before), "--format", "json", "--max-skew", "10m")
    assert told(torn.stdout)["ws-0.3"] == ("baseline", None), torn.stdout
    assert ODD not in deletes(engine)


@pytest.mark.lab
def test_a_pipe_in_place_of_one_hosts_known_hosts_costs_that_host_alone(lab: Lab, run: Run) -> None:
    pipe = lab.directory / "pipe"
    os.mkfifo(pipe)
    inventory = lab.directory / "odd.yml"
    text = lab.inventory.read_text()
    box = lab.box("runner-2")
    inventory.write_text(
        text.replace(
            f"ansible_port: {box.port}\n",
            f"ansible_port: {box.port}\n      ansible_ssh_common_args: '-o UserKnownHostsFile={pipe}'\n",
        )
    )
    config = lab.directory / "ssh_config"
    config.write_text(f"UserKnownHostsFile {lab.known_hosts}\n")
    try:
        done = run("audit", "-i", str(inventory), "--ssh-config", str(config), *lab.options()[4:], "--format", "json")
    finally:
        pipe.unlink()
    rows = {row["host"]: row for row in json.loads(done.stdout)["hosts"]}
    assert done.returncode == 3, done.stderr
    assert {name: row["status"] for name, row in rows.items()} == {
        "runner-1": "ok",
        "runner-2": "unreachable",
        "runner-3": "ok",
    }
    assert str(pipe) in rows["runner-2"]["error"]["message"]
