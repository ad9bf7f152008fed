"""The generated files, as systemd, cron and a workflow's runner read them."""

from __future__ import annotations

import importlib.resources
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from fleetsweep.cli import cli
from tests.conftest import Run
from tests.lab import crontab, systemd, workflow
from tests.schedule.generated import command, written

KINDS = ("systemd", "cron", "gitea", "github")
WORKFLOWS = ("gitea", "github")


@pytest.mark.parametrize("job", ["sweep", "audit"])
@pytest.mark.parametrize("local", [True, False])
def test_systemd_accepts_the_units(run: Run, tmp_path: Path, inventory: Path, job: str, local: bool) -> None:
    target = ["--local"] if local else ["-i", str(inventory)]
    odd = ["--name", '^ws-\\d "%h" ${HOME}', "--metrics", "/srv/a b/100%.prom"]
    made = written(run, tmp_path / "units", "systemd", *target, "--job", job, *odd)
    assert set(made) == {f"fleetsweep-{job}.service", f"fleetsweep-{job}.timer"}
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted((tmp_path / "units").iterdir()))],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "notice"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_service_is_exposed_to_little(run: Run, tmp_path: Path, inventory: Path) -> None:
    written(run, tmp_path / "units", "systemd", "-i", str(inventory))
    done = subprocess.run(
        [
            *("systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=20"),
            str(tmp_path / "units" / "fleetsweep-sweep.service"),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    # Tenths: more than the threshold of 2.0 is an error.
    assert done.returncode == 0, done.stdout


def test_a_real_systemd_parses_the_command_as_given(run: Run, tmp_path: Path) -> None:
    name = "^ws-\\d+\\\\ \"x\" %h %% $HOME ${HOME} $$ 'y' ; \\; # ä"
    unit = written(run, tmp_path / "units", "systemd", "--local", "--name", name)["fleetsweep-sweep.service"]
    read = systemd.read_by_systemd(unit)
    assert [word.replace("$$", "$") for word in read] == command(unit)
    assert f"--name={name}" in command(unit)


def test_the_timer_fires_at_minute_17_and_catches_up_a_missed_run(run: Run, tmp_path: Path) -> None:
    timer = written(run, tmp_path / "units", "systemd", "--local")["fleetsweep-sweep.timer"]
    assert "\nOnCalendar=*:17\n" in timer
    assert "\nPersistent=true\n" in timer
    shown = subprocess.run(["systemd-analyze", "calendar", "*:17"], check=True, capture_output=True, text=True).stdout
    assert "Normalized form: *-*-* *:17:00" in shown


def test_only_a_sweep_of_this_machine_is_in_the_docker_group(run: Run, tmp_path: Path, inventory: Path) -> None:
    local = written(run, tmp_path / "a", "systemd", "--local")["fleetsweep-sweep.service"]
    fleet = written(run, tmp_path / "b", "systemd", "-i", str(inventory))["fleetsweep-sweep.service"]
    assert "\nSupplementaryGroups=docker\n" in local
    assert "docker" not in fleet


@pytest.fixture
def in_opt(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Prints the units as a fleetsweep would that is installed in /opt, wherever the one under test is."""
    for name, value in {
        "prefix": "/opt/fleetsweep",
        "base_prefix": "/usr",
        "executable": "/opt/fleetsweep/bin/python",
    }.items():
        monkeypatch.setattr(sys, name, value)
    monkeypatch.setattr(sys, "argv", ["/opt/fleetsweep/bin/fleetsweep"])
    monkeypatch.chdir("/")

    def call(*words: str) -> str:
        done = CliRunner().invoke(cli, ["schedule", "systemd", *words], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    return call


@pytest.mark.parametrize(
    "words",
    [["--private-key", "~/.ssh/id"], ["--known-hosts", "/home/ci/known_hosts"], ["--engine", "unix:///run/user/1/d"]],
)
def test_homes_are_closed_unless_the_command_uses_a_path_there(
    in_opt: Callable[..., str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert "\nProtectHome=yes\n" in in_opt("--local", "--private-key", "/etc/fleetsweep/key")
    assert "\nProtectHome=read-only\n" in in_opt("--local", *words)


def test_the_interpreter_is_a_path_that_the_command_uses(
    in_opt: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "base_prefix", "/root/python3.12")
    assert "\nProtectHome=read-only\n" in in_opt("--local")


@pytest.mark.parametrize(("key", "home"), [("/home/ci/.ssh/id", "read-only"), ("/etc/fleetsweep/key", "yes")])
def test_a_key_that_the_inventory_names_opens_the_homes_too(
    in_opt: Callable[..., str], inventory: Path, key: str, home: str
) -> None:
    inventory.write_text(f"runner-1 ansible_ssh_private_key_file={key}\n")
    assert f"\nProtectHome={home}\n" in in_opt("-i", str(inventory))


def test_the_unit_has_a_private_tmp_unless_the_command_uses_a_path_there(in_opt: Callable[..., str]) -> None:
    assert "\nPrivateTmp=yes\n" in in_opt("--local")
    assert "\nPrivateTmp=no\n" in in_opt("--local", "--private-key", "/tmp/key")


@pytest.mark.parametrize(
    ("directory", "line"),
    [("/var/lib/fleetsweep/ci", "StateDirectory=fleetsweep/ci"), ("/srv/a b", 'ReadWritePaths="/srv/a b"')],
)
def test_the_state_directory_is_one_that_the_unit_may_write(
    run: Run, tmp_path: Path, directory: str, line: str
) -> None:
    words = ["systemd", "--local", "--state-dir", directory]
    unit = written(run, tmp_path / "units", *words)["fleetsweep-sweep.service"]
    assert f"\n{line}\n" in unit
    assert f"--state-dir={directory}" in command(unit)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("/var/lib/prometheus/node-exporter/f.prom", "ReadWritePaths=-/var/lib/prometheus/node-exporter"),
        ("/srv/a b/f.prom", 'ReadWritePaths="-/srv/a b"'),
    ],
)
def test_the_unit_may_write_its_metrics_and_starts_where_their_directory_is_missing(
    run: Run, tmp_path: Path, file: str, line: str
) -> None:
    unit = written(run, tmp_path / "units", "systemd", "--local", "--metrics", file)["fleetsweep-sweep.service"]
    assert f"\n{line}\n" in unit
    assert f"--metrics={file}" in command(unit)
    cron = written(run, tmp_path / "cron", "cron", "--local", "--metrics", file)["fleetsweep-sweep"]
    assert f"--metrics={file}" in cron.replace("'", "")


def test_the_unit_times_out_after_the_runs_own_limit(run: Run, tmp_path: Path) -> None:
    words = ["systemd", "--local", "--run-timeout", "10m"]
    unit = written(run, tmp_path / "units", *words)["fleetsweep-sweep.service"]
    (limit,) = re.findall(r"^TimeoutStartSec=(\d+)$", unit, re.MULTILINE)
    assert "--run-timeout=600s" in command(unit)
    assert 600 + 60 < int(limit) <= 600 + 180


def test_cron_gets_one_line_with_an_account(run: Run, tmp_path: Path, inventory: Path) -> None:
    name = "^ws-\\d%\\\\%$ it's"
    words = ["cron", "-i", str(inventory), "--name", name, "--user", "ci"]
    made = written(run, tmp_path / "cron.d", *words)
    # cron reads no file whose name has a dot.
    assert list(made) == ["fleetsweep-sweep"]
    (entry,) = crontab.entries(made["fleetsweep-sweep"])
    assert (entry.when, entry.user) == ("17 * * * *", "ci")
    received = subprocess.run(
        ["sh", "-c", f"set -- {entry.command}; printf '%s\\n' \"$@\""], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert received[0] == str(Path(sys.executable).parent / "fleetsweep")
    assert f"--name={name}" in received
    assert "--yes" in received


def test_a_command_too_long_for_cron_is_refused(run: Run) -> None:
    done = run("schedule", "cron", "--local", "--name", "x" * 1000)
    assert (done.returncode, done.stdout) == (2, "")
    assert "systemd" in done.stderr


@pytest.mark.parametrize("kind", WORKFLOWS)
def test_both_workflows_are_written_unless_one_job_is_chosen(run: Run, tmp_path: Path, kind: str) -> None:
    assert set(written(run, tmp_path / "a", kind, "--local")) == {"fleetsweep-sweep.yml", "fleetsweep-teardown.yml"}
    assert set(written(run, tmp_path / "b", kind, "--local", "--job", "audit")) == {"fleetsweep-audit.yml"}
    assert set(written(run, tmp_path / "c", kind, "--job", "teardown")) == {"fleetsweep-teardown.yml"}


@pytest.mark.parametrize("kind", WORKFLOWS)
def test_a_workflow_has_read_permission_waits_for_another_and_times_out(run: Run, tmp_path: Path, kind: str) -> None:
    for name in written(run, tmp_path / "w", kind, "--local"):
        flow = workflow.read(tmp_path / "w" / name)
        assert flow["permissions"] == {"contents": "read"}
        assert flow["concurrency"]["cancel-in-progress"] is False
        assert flow["on"]["workflow_dispatch"]["inputs"]["dry_run"]["type"] == "boolean"
        assert ("schedule" in flow["on"]) == (name == "fleetsweep-sweep.yml")
        # No age has a say in a teardown.
        assert ("WS_MAX_AGE_HOURS" in flow["env"]) == (name == "fleetsweep-sweep.yml")
        assert {"SAFETY_CAP", "DRY_RUN"} <= set(flow["env"])
        assert [job["timeout-minutes"] for job in flow["jobs"].values()] == [10]
        for step in workflow.steps(flow):
            assert "uses" not in step
            # What an expression stands for would be run as part of the script.
            assert "${{" not in step["run"]
    flow = workflow.read(tmp_path / "w" / "fleetsweep-sweep.yml")
    assert flow["on"]["schedule"] == [{"cron": "17 * * * *"}]
    teardown = workflow.steps(workflow.read(tmp_path / "w" / "fleetsweep-teardown.yml"))
    assert [step.get("if") for step in teardown] == [None, None, None, "always()"]


@pytest.mark.parametrize(
    ("words", "hours", "cap"),
    [
        (["--local"], "2", "100"),
        (["--local", "--max-age", "90m", "--cap", "none"], "1.5", "none"),
        (["-i", "inventory.ini"], "", ""),
        (["-i", "inventory.ini", "--max-age", "4h"], "4", ""),
    ],
)
def test_a_repositorys_variable_overrides_the_default_and_the_inventory_sets_the_others(
    run: Run, tmp_path: Path, inventory: Path, words: list[str], hours: str, cap: str
) -> None:
    assert inventory.exists()
    written(run, tmp_path / "w", "gitea", *words)
    flow = workflow.read(tmp_path / "w" / "fleetsweep-sweep.yml")
    plain, overridden = (
        workflow.Runner(tmp_path),
        workflow.Runner(
            tmp_path,
            {"vars.WS_MAX_AGE_HOURS": "9", "vars.SAFETY_CAP": "7", "github.event.inputs.dry_run": "true"},
        ),
    )
    names = ("WS_MAX_AGE_HOURS", "SAFETY_CAP", "DRY_RUN")
    assert [plain.value(flow["env"][name]) for name in names] == [hours, cap, "false"]
    assert [overridden.value(flow["env"][name]) for name in names] == ["9", "7", "true"]
    # A flag would beat the variable.
    assert not re.search("--max-age|--cap", workflow.steps(flow)[-1]["run"])


@pytest.mark.parametrize("kind", WORKFLOWS)
def test_a_value_that_a_workflow_would_evaluate_is_refused(run: Run, kind: str) -> None:
    done = run("schedule", kind, "--local", "--name", "${{ secrets.X }}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "expression" in done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_printed_is_what_is_written(run: Run, tmp_path: Path, kind: str) -> None:
    made = written(run, tmp_path / "out", kind, "--local")
    printed = run("schedule", kind, "--local").stdout
    for name, text in made.items():
        assert text in printed
        assert text.startswith("# ")
        assert name in text.splitlines()[0]


NOTIFY = {"FLEETSWEEP_NOTIFY": "json://u:p@a.example.com json://b.example.com"}


def test_addresses_go_to_a_file_that_root_alone_reads(run: Run, tmp_path: Path) -> None:
    environment = {"FLEETSWEEP_PUSH_GATEWAY": "http://u:p'$x@push.example.com:9091", **NOTIFY}
    words = ["schedule", "systemd", "--local", "--metrics", "/srv/f.prom"]
    done = run(*words, "--write", str(tmp_path / "units"), environ=environment)
    assert done.returncode == 0, done.stderr
    file = tmp_path / "units" / "fleetsweep-sweep.env"
    assert file.stat().st_mode & 0o777 == 0o600
    unit = (tmp_path / "units" / "fleetsweep-sweep.service").read_text()
    assert f"\nEnvironmentFile={file}\n" in unit
    assert "example.com" not in unit
    # The quotes are those of a shell.
    sourced = subprocess.run(["sh", "-ac", f". {file}; env"], check=True, capture_output=True, text=True).stdout
    assert set(sourced.splitlines()) >= {f"{name}={value}" for name, value in environment.items()}
    printed = run(*words, environ=environment)
    assert "example.com" not in printed.stdout
    assert 'FLEETSWEEP_NOTIFY="json://… json://…"' in printed.stdout
    assert run(*words, "--write", str(tmp_path / "units"), environ=environment).stdout.count("the same content") == 3


def test_a_crontab_with_addresses_is_readable_by_root_alone(run: Run, tmp_path: Path) -> None:
    done = run("schedule", "cron", "--local", "--write", str(tmp_path), environ=NOTIFY)
    assert done.returncode == 0, done.stderr
    file = tmp_path / "fleetsweep-sweep"
    assert file.stat().st_mode & 0o777 == 0o600
    assert f'\nFLEETSWEEP_NOTIFY="{NOTIFY["FLEETSWEEP_NOTIFY"]}"\n17 * * * * fleetsweep ' in file.read_text()
    refused = run("schedule", "cron", "--local", "--notify", 'json://"b"')
    assert (refused.returncode, refused.stdout) == (2, "")


def test_a_workflow_takes_addresses_from_the_repositorys_secrets(run: Run, tmp_path: Path) -> None:
    words = ["--local", "--notify-always", "--lock-wait", "30s"]
    done = run("schedule", "github", *words, "--write", str(tmp_path), environ=NOTIFY)
    flow = workflow.read(tmp_path / "fleetsweep-sweep.yml")
    assert flow["env"]["FLEETSWEEP_NOTIFY"] == "${{ secrets.FLEETSWEEP_NOTIFY }}"
    assert "example.com" not in (tmp_path / "fleetsweep-sweep.yml").read_text() + done.stdout
    assert "create these secrets in the repository" in done.stderr
    teardown = workflow.read(tmp_path / "fleetsweep-teardown.yml")
    assert teardown["env"]["FLEETSWEEP_NOTIFY"] == "${{ secrets.FLEETSWEEP_NOTIFY }}"
    assert workflow.steps(teardown)[-1]["run"].startswith(
        "fleetsweep teardown --local --lock-wait=30s --notify-always "
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--output", "/srv/a/report"], "ReadWritePaths=-/srv/a"),
        (["--job", "audit", "--save-plan", "/srv/b/plan.json"], "ReadWritePaths=-/srv/b"),
        (["--known-hosts", "/etc/fs/known", "--host-key", "accept-new"], "ReadWritePaths=-/etc/fs"),
    ],
)
def test_the_unit_may_write_what_its_options_name(run: Run, tmp_path: Path, words: list[str], line: str) -> None:
    done = run("schedule", "systemd", "--local", *words, "--write", str(tmp_path))
    assert done.returncode == 0, done.stderr
    unit = next(tmp_path.glob("*.service")).read_text()
    assert f"\n{line}\n" in unit
    assert "ReadWritePaths" not in unit.replace(line, "")


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("systemd", {"fleetsweep-sweep-east.service", "fleetsweep-sweep-east.timer", "fleetsweep-sweep-east.env"}),
        ("cron", {"fleetsweep-sweep-east"}),
        ("gitea", {"fleetsweep-sweep-east.yml", "fleetsweep-teardown.yml"}),
    ],
)
def test_the_name_of_a_schedule_is_in_its_files_and_its_command(
    run: Run, tmp_path: Path, kind: str, names: set[str]
) -> None:
    words = ["--local", "--schedule-name", "east", "--write", str(tmp_path)]
    assert run("schedule", kind, *words, "--push-gateway", "http://push:9091").returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == names
    (file,) = (path for path in tmp_path.glob("fleetsweep-sweep*") if path.suffix not in {".timer", ".env"})
    text = file.read_text()
    assert "--schedule-name=east" in text
    assert "fleetsweep-sweep." not in text
    assert kind != "systemd" or f"EnvironmentFile={tmp_path}/fleetsweep-sweep-east.env" in text


def test_the_templates_are_part_of_the_package() -> None:
    found = {item.name for item in importlib.resources.files("fleetsweep.schedule").joinpath("templates").iterdir()}
    assert found == {
        "systemd.env.j2",
        "systemd.service.j2",
        "systemd.timer.j2",
        "cron.j2",
        "workflow.yml.j2",
        "workflow-teardown.yml.j2",
        "gate.haproxy.j2",
        "gate.nginx.j2",
        "dask-worker.service.j2",
    }
