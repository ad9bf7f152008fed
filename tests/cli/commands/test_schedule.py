"""``fleetsweep schedule``: its options become those of the scheduled run."""

from __future__ import annotations

from pathlib import Path

import pytest

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
