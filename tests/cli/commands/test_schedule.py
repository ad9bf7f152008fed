"""``fleetsweep schedule``: its options become those of the scheduled run."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from fleetsweep.cli import cli
from fleetsweep.cli.commands.schedule import NOT_SCHEDULED
from fleetsweep.errors import PolicyError, UsageError
from fleetsweep.exit_codes import GUARD, OK
from tests.cli.conftest import Command


def test_the_scheduled_command_has_the_options_by_absolute_paths(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--local", "--expect", "1..2", "--private-key", "key", "--max-age", "4h", "--run-timeout", "90s"]
    assert command("schedule", "cron", *words) == OK
    printed = capsys.readouterr().out
    for word in ("--expect=1..2", f"--private-key={tmp_path / 'key'}", "--max-age=4h", "--run-timeout=90s"):
        assert word in printed


def test_a_teardown_is_of_the_machine_of_its_job(command: Command, tmp_path: Path) -> None:
    assert command("schedule", "github", "--job", "teardown", "--write", str(tmp_path / "w")) == OK
    assert "--local" in (tmp_path / "w" / "fleetsweep-teardown.yml").read_text()
    with pytest.raises(UsageError, match="a teardown belongs to the job"):
        command("schedule", "cron", "--job", "teardown")


def test_what_a_run_would_refuse_is_refused_now(command: Command) -> None:
    with pytest.raises(PolicyError, match="--max-age"):
        command("schedule", "systemd", "--local", "--max-age", "7")
    assert command("schedule", "systemd", "--local", "--expect", "2") == GUARD


def parameters(name: str) -> dict[str, click.Parameter]:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return {parameter.name or "": parameter for parameter in found.params}


def test_every_option_of_a_job_can_be_scheduled_or_the_reason_is_known() -> None:
    own = parameters("schedule")
    for job in ("audit", "sweep", "teardown"):
        for name, parameter in parameters(job).items():
            assert (name in NOT_SCHEDULED) is not (name in own and own[name].opts == parameter.opts), name


WORDS = {
    "forks": "8",
    "timeout": "5s",
    "host_timeout": "1m",
    "host_key": "accept-new",
    "engine_tls_ca": "ca.pem",
    "max_silence": "26h",
    "processes": "auto",
    "style": "json",
}


def test_the_jobs_options_are_passed_on_by_absolute_paths(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [word for name, value in WORDS.items() for word in (parameters("audit")[name].opts[0], value)]
    words = ["--local", "--job", "audit", *options, "--remote-user", "ci", "--notify-always", "-v", "--every", "15m"]
    assert command("schedule", "cron", *words) == OK
    printed = capsys.readouterr().out
    for word in ("--forks=8", "--timeout=5s", "--host-timeout=60s", "--host-key=accept-new", "--max-silence=93600s"):
        assert f" {word} " in printed
    assert (
        f" --engine-tls-ca={tmp_path / 'ca.pem'} --processes=auto --format=json --verbose --notify-always "
        in printed.replace(" --max-silence=93600s", "")
    )
    assert " --user=ci " in printed
    assert "--run-timeout=900s" in printed
    assert "\n2,17,32,47 * * * * fleetsweep " in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--job", "audit", "--lock-wait", "1m"], "--lock-wait: fleetsweep audit has no such option"),
        (["--max-silence", "1d"], "--max-silence: fleetsweep sweep has no such option"),
        (["--every", "7m"], "--every: "),
        (["--push-gateway", "nowhere"], "--push-gateway must be a URL"),
    ],
)
def test_an_option_that_its_job_would_refuse_is_refused(command: Command, words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        command("schedule", "systemd", "--local", *words)
