"""Output of ``fleetsweep schedule``, run as cron, systemd and a CI runner would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from tests.lab import Box, Lab, Spec, crontab, systemd, workflow
from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir, deletes, leaks

WORKFLOWS = ("gitea", "github")
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def written(run: Run, directory: Path, *words: str) -> Path:
    done = run("schedule", *words, "--write", str(directory))
    assert done.returncode == 0, done.stderr
    return directory


def runner(directory: Path, **known: str) -> workflow.Runner:
    values = {f"vars.{name}": value for name, value in known.items() if name != "dry_run"}
    if "dry_run" in known:
        values["github.event.inputs.dry_run"] = known["dry_run"]
    return workflow.Runner(directory, values, PATH)


def test_the_line_for_cron_sweeps_as_the_shell_runs_it(run: Run, workdir: Workdir, tmp_path: Path) -> None:
    engine = ScriptedEngine([*leaks(2), ScriptedContainer("a" * 64, "100%\\mine"), ScriptedContainer("b" * 64, "db")])
    for container in engine.containers.values():
        container.image = "other"
    with engine.serve(workdir.socket) as url:
        options = [*workdir.local(url), "--name", "^ws-\\d+$", "--name", "%\\\\mine$"]
        text = (written(run, tmp_path / "cron.d", "cron", *options) / "fleetsweep-sweep").read_text()
        (entry,) = crontab.entries(text)
        # What cron gives: hardly a path, and somebody's home.
        done = subprocess.run(
            ["/bin/sh", "-c", entry.command],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "SHELL": "/bin/sh", "LOGNAME": entry.user},
        )
    assert done.returncode == 0, done.stderr
    assert sorted(deletes(engine)) == [f"{0:064x}", f"{1:064x}", "a" * 64]
    assert list(engine.containers) == ["b" * 64]


@pytest.mark.parametrize(("job", "code", "left"), [("sweep", 0, 0), ("audit", 6, 2)])
def test_the_command_of_the_unit_does_its_job(
    run: Run, workdir: Workdir, tmp_path: Path, job: str, code: int, left: int
) -> None:
    engine = ScriptedEngine(leaks(2))
    with engine.serve(workdir.socket) as url:
        directory = written(run, tmp_path / "units", "systemd", *workdir.local(url), "--job", job)
        unit = (directory / f"fleetsweep-{job}.service").read_text()
        (line,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
        done = subprocess.run(
            systemd.words(line),
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": "/usr/bin:/bin"},
        )
    assert done.returncode == code, done.stderr
    assert len(engine.containers) == left


@pytest.mark.parametrize("kind", WORKFLOWS)
def test_the_workflow_sweeps_step_by_step(run: Run, workdir: Workdir, tmp_path: Path, kind: str) -> None:
    engine = ScriptedEngine([*leaks(2), ScriptedContainer("a" * 64, "it's 100%")])
    with engine.serve(workdir.socket) as url:
        options = [*workdir.local(url), "--name", "^ws-", "--name", "it's \\d+%$"]
        flow = workflow.read(written(run, tmp_path / "w", kind, *options) / "fleetsweep-sweep.yml")
        for container in engine.containers.values():
            container.image = "other"
        runs = runner(tmp_path)
        assert runs.carry_out(flow) == [0, 0], runs.done
    assert not engine.containers


@pytest.mark.parametrize(
    ("known", "code", "left"),
    [
        ({"dry_run": "true"}, 0, 3),
        ({"dry_run": "false"}, 0, 0),
        ({"SAFETY_CAP": "2"}, 4, 3),
        ({"SAFETY_CAP": "3"}, 0, 0),
        ({"WS_MAX_AGE_HOURS": "72"}, 0, 3),
        ({"WS_MAX_AGE_HOURS": "47.5"}, 0, 0),
        ({"WS_MAX_AGE_HOURS": "0.25"}, 2, 3),
    ],
)
def test_the_settings_of_a_workflow_mean_what_they_mean_to_the_tool(
    run: Run, workdir: Workdir, tmp_path: Path, known: dict[str, str], code: int, left: int
) -> None:
    engine = ScriptedEngine(leaks(3))
    with engine.serve(workdir.socket) as url:
        flow = workflow.read(written(run, tmp_path / "w", "gitea", *workdir.local(url)) / "fleetsweep-sweep.yml")
        runs = runner(tmp_path, **known)
        assert runs.carry_out(flow) == [0, code], runs.done
    assert len(engine.containers) == left


def test_a_runner_without_the_tool_installs_what_the_user_named_and_goes_on_with_it(
    run: Run, workdir: Workdir, tmp_path: Path
) -> None:
    install = ("--install", "pip install 'https://ci.example.com/fleetsweep.whl#sha256=0a'")
    engine = ScriptedEngine(leaks(1))
    # A python3 whose environments hold a pip that notes what it was asked for, and installs the tool of this tree.
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(
        '#!/bin/sh\nset -eu\n[ "$1 $2" = "-m venv" ]\nmkdir -p "$3/bin"\n'
        'printf \'#!/bin/sh\\necho "$@" > "%s/asked"\\nln -s "%s" "%s/bin/fleetsweep"\\n\' '
        f'"$3" "{Path(sys.executable).parent / "fleetsweep"}" "$3" > "$3/bin/pip"\nchmod +x "$3/bin/pip"\n'
    )
    python.chmod(0o755)
    with engine.serve(workdir.socket) as url:
        made = written(run, tmp_path / "w", "github", *workdir.local(url), *install)
        flow = workflow.read(made / "fleetsweep-sweep.yml")
        runs = workflow.Runner(tmp_path, path=f"{python.parent}:/usr/bin:/bin")
        assert runs.carry_out(flow) == [0, 0], runs.done
    assert (
        tmp_path / "fleetsweep" / "asked"
    ).read_text() == "install https://ci.example.com/fleetsweep.whl#sha256=0a\n"
    assert not engine.containers


@pytest.mark.lab
def test_the_workflow_sweeps_real_boxes_over_ssh(run: Run, lab: Lab, tmp_path: Path) -> None:
    for box in lab.boxes:
        box.seed([Spec("ws-old", age=timedelta(days=2)), Spec("db", image="postgres:16", age=timedelta(days=2))])
    flow = workflow.read(written(run, tmp_path / "w", "gitea", *lab.options()) / "fleetsweep-sweep.yml")
    runs = runner(tmp_path)
    assert runs.carry_out(flow) == [0, 0], runs.done
    assert [box.names() for box in lab.boxes] == [{"db"}] * 3


def teardown(run: Run, box: Box, directory: Path, **known: str) -> tuple[dict[str, Any], workflow.Runner]:
    """The example on a box's engine, for its tool and for the Docker CLI alike."""
    url = f"unix://{box.socket}"
    words = ["--job", "teardown", "--engine", url]
    flow = workflow.read(written(run, directory / "w", "gitea", *words) / "fleetsweep-teardown.yml")
    runs = runner(directory, **known)
    runs.environment = {"DOCKER_HOST": url}
    return flow, runs


@pytest.mark.lab
def test_the_example_takes_its_own_containers_along_and_no_others(run: Run, box: Box, tmp_path: Path) -> None:
    box.seed([Spec("ws-other", labels={"fleetsweep.run": "4711-1"}), Spec("ws-before")])
    flow, runs = teardown(run, box, tmp_path)
    workflow.steps(flow).insert(
        3, {"name": "look", "run": "docker ps --format '{{.Names}} {{.Label \"fleetsweep.run\"}}'"}
    )
    assert runs.carry_out(flow) == [0, 0, 0, 0, 0], runs.done
    # While it ran, its own was there with the label of this run's second attempt.
    assert "ws-4711-2 4711-2" in dict(runs.done)["look"].stdout.splitlines()
    assert box.names() == {"ws-other", "ws-before"}


@pytest.mark.lab
def test_the_example_takes_its_containers_along_when_the_work_fails(run: Run, box: Box, tmp_path: Path) -> None:
    box.seed([Spec("ws-before")])
    flow, runs = teardown(run, box, tmp_path)
    workflow.steps(flow).insert(3, {"name": "fail", "run": "exit 7"})
    workflow.steps(flow).insert(4, {"name": "never", "run": "exit 0"})
    assert runs.carry_out(flow) == [0, 0, 0, 7, 0], runs.done
    assert box.names() == {"ws-before"}


@pytest.mark.lab
def test_a_dry_run_of_the_example_leaves_what_it_started(run: Run, box: Box, tmp_path: Path) -> None:
    flow, runs = teardown(run, box, tmp_path, dry_run="true")
    assert runs.carry_out(flow) == [0, 0, 0, 0], runs.done
    assert box.names() == {"ws-4711-2"}
