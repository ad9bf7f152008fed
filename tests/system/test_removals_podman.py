"""Removing running containers on a real Podman."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.lab.podman import Podman
from tests.lab.process import wait_for
from tests.lab.workdir import Workdir

IMAGE = "localhost/molecule-local/workspace-template-x:1"
AGES = ["--max-age", "2s", "--job-timeout", "1s"]

Told = dict[str, tuple[str, str | None]]


@pytest.fixture
def podman(workdir: Workdir) -> Iterator[Podman]:
    with Podman(workdir.directory / "p") as found:
        found.import_image("molecule-local/workspace-template-x:1")
        yield found


def sweep(run: Run, podman: Podman, workdir: Workdir, count: int, *words: str) -> tuple[int, Told]:
    """Sweep once so many are stale. Answers the exit code, and each container's outcome and error."""
    at = [*workdir.local(f"unix://{podman.socket}"), *AGES, "--format", "json"]
    wait_for(lambda: json.loads(run("audit", *at).stdout)["totals"]["stale"] == count, "the containers growing old")
    done = run("sweep", *at, "--yes", *words)
    assert done.stdout, done.stderr
    (row,) = json.loads(done.stdout)["hosts"]
    return done.returncode, {each["name"]: (each["outcome"], each["error"]) for each in row["decisions"]}


def test_many_running_containers_go_without_the_wait_for_each(run: Run, podman: Podman, workdir: Workdir) -> None:
    """Podman waits ten seconds for each that heeds no SIGTERM: twelve of them, six at once, would take twenty."""
    for number in range(12):
        podman.run(f"ws-{number}", IMAGE)
    code, told = sweep(run, podman, workdir, 12, "--host-timeout", "15s")
    assert (code, set(told.values())) == (0, {("removed", None)})
    assert podman.names() == set()


def test_what_an_old_podman_is_stopping_is_never_called_removed(run: Run, podman: Podman, workdir: Workdir) -> None:
    podman.run("ws-stopping", IMAGE)
    podman.run("ws-other", IMAGE)
    process = podman.stop_in_vain("ws-stopping")
    code, told = sweep(run, podman, workdir, 2)
    outcome, error = told["ws-stopping"]
    assert (code, outcome, told["ws-other"]) == (5, "failed", ("removed", None))
    assert f"on the box: kill -9 {process}, then sweep again" in (error or "")
    assert podman.names() == {"ws-stopping"}
    assert Path(f"/proc/{process}").exists()
    command = (error or "").partition("on the box: ")[2].partition(", then")[0]
    subprocess.run(["/bin/sh", "-c", command], check=True)
    wait_for(lambda: podman.state("ws-stopping")["Status"] == "exited", "Podman seeing that it ended")
    code, told = sweep(run, podman, workdir, 1)
    assert (code, told["ws-stopping"]) == (0, ("removed", None))


def test_one_that_lives_on_another_goes_before_it(run: Run, podman: Podman, workdir: Workdir) -> None:
    podman.run("ws-owner", IMAGE)
    podman.run("ws-sidecar", IMAGE, "--network", "container:ws-owner")
    code, told = sweep(run, podman, workdir, 2)
    assert (code, set(told.values())) == (0, {("removed", None)}), told
    assert podman.names() == set()
