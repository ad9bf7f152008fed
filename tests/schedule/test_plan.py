"""The command that is scheduled, and what is refused before it is scheduled."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from fleetsweep.schedule import default_wheel
from tests.conftest import Run
from tests.lab import workflow
from tests.schedule.generated import command, written

KINDS = ("systemd", "cron", "gitea", "github")


def test_the_command_is_this_program_with_absolute_paths(run: Run, tmp_path: Path, inventory: Path) -> None:
    options = [
        "-i",
        "inventory.ini",
        "--host",
        "runner-2",
        "--max-age",
        "4h",
        "--cap",
        "20",
        "--expect",
        "1",
        "--anomaly",
    ]
    unit = written(run, tmp_path / "units", "systemd", *options)["fleetsweep-sweep.service"]
    program, *words = command(unit)
    assert Path(program) == Path(sys.executable).parent / "fleetsweep"
    assert words == [
        *("sweep", f"--inventory={inventory}", "--host=runner-2", "--expect=1", "--state-dir=/var/lib/fleetsweep"),
        *("--max-age=4h", "--cap=20", "--anomaly", "--yes", "--lock-wait=60s"),
    ]


def test_an_audit_fails_on_stale_containers_and_confirms_nothing(run: Run, tmp_path: Path) -> None:
    unit = written(run, tmp_path / "units", "systemd", "--local", "--job", "audit")["fleetsweep-audit.service"]
    assert command(unit)[1] == "audit"
    assert command(unit)[-1] == "--fail-on-stale"
    assert "--yes" not in unit


@pytest.mark.parametrize(("kind", "file"), [("gitea", "f.prom"), ("github", "f.prom"), ("systemd", "f.txt")])
def test_metrics_that_node_exporter_would_not_read_are_refused(run: Run, kind: str, file: str) -> None:
    done = run("schedule", kind, "--local", "--metrics", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--metrics: " in done.stderr


@pytest.mark.parametrize("kind", ["systemd", "cron"])
def test_a_teardown_by_a_timer_is_refused_and_the_right_kind_named(run: Run, kind: str) -> None:
    done = run("schedule", kind, "--job", "teardown")
    assert done.returncode == 2
    assert "fleetsweep schedule gitea" in done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_that_would_end_its_line_is_refused(run: Run, tmp_path: Path, kind: str) -> None:
    words = ["schedule", kind, "--local", "--name", "^ws-\nUser=root", "--write", str(tmp_path / "out")]
    done = run(*words)
    assert done.returncode == 2, done.stdout
    assert "--name" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--local", "--max-age", "soon"],
        ["--local", "--cap", "many"],
        ["--local", "--fleet-cap", "200%"],
        ["--local", "--user", "root\n"],
        ["--local", "--user", "a b"],
        ["-i", "nowhere.ini"],
        ["-i", "inventory.ini", "-l", "nobody"],
        ["-i", "inventory.ini", "-l", "@retry"],
        [],
    ],
)
def test_what_a_run_would_refuse_is_refused_before_it_is_scheduled(run: Run, inventory: Path, words: list[str]) -> None:
    assert inventory.exists()
    done = run("schedule", "systemd", *words)
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize(
    ("words", "named"), [(["--engine", "docker.sock"], "docker.sock"), (["-i", "inventory.ini"], "--inventory")]
)
def test_a_teardown_is_only_for_the_machine_of_its_job(run: Run, inventory: Path, words: list[str], named: str) -> None:
    assert inventory.exists()
    done = run("schedule", "gitea", "--job", "teardown", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr


def test_a_teardown_gets_the_selectors_and_guards(run: Run, tmp_path: Path) -> None:
    words = ["--name", "it's", "--keep-label", "mine", "--state-dir", "state", "--max-age", "4h"]
    written(run, tmp_path / "w", "gitea", "--job", "teardown", *words)
    _, before, _, after = workflow.steps(workflow.read(tmp_path / "w" / "fleetsweep-teardown.yml"))
    (baseline,) = (shlex.split(line) for line in before["run"].splitlines() if line.startswith("fleetsweep"))
    common = ["--local", f"--state-dir={tmp_path / 'state'}", "--name=it's"]
    assert baseline[-3:] == common
    assert shlex.split(after["run"])[:6] == ["fleetsweep", "teardown", *common, "--keep-label=mine"]


def test_an_unexpected_number_of_hosts_is_refused_at_once(run: Run, inventory: Path) -> None:
    done = run("schedule", "systemd", "-i", str(inventory), "--expect", "3")
    assert (done.returncode, done.stdout) == (4, "")


@pytest.mark.parametrize("kind", ["gitea", "github"])
def test_a_workflow_takes_no_name_from_an_index_that_the_user_did_not_give(run: Run, tmp_path: Path, kind: str) -> None:
    done = run("schedule", kind, "--local", "--write", str(tmp_path / "w"))
    wheel = default_wheel()
    assert wheel.startswith("/")
    assert f"Note: a runner without fleetsweep installs it from its file {wheel}" in done.stderr
    for path in (tmp_path / "w").iterdir():
        lines = [line.strip() for line in path.read_text().splitlines() if "pip install" in line]
        assert lines == [f"pip install --quiet {wheel}"]


@pytest.mark.parametrize(
    ("kind", "command"),
    [("systemd", "pip install x"), ("cron", "pip install x"), ("github", " "), ("gitea", "pip install ${{ vars.X }}")],
)
def test_a_way_to_install_that_no_file_can_hold_is_refused(run: Run, kind: str, command: str) -> None:
    done = run("schedule", kind, "--local", "--install", command)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--install" in done.stderr
