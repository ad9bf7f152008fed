"""``fleetsweep sweep``."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.errors import PolicyError, UsageError
from fleetsweep.exit_codes import OK
from tests.cli.conftest import Command
from tests.lab.scripted_engine import ScriptedEngine
from tests.lab.workdir import deletes


def test_without_a_terminal_it_removes_only_with_yes(
    command: Command, local: list[str], engine: ScriptedEngine
) -> None:
    with pytest.raises(UsageError, match="give --yes to remove, or --dry-run to look"):
        command("sweep", *local)
    assert engine.requests == []
    assert command("sweep", *local, "--yes") == OK
    assert deletes(engine) == ["a" * 64]


def test_a_dry_run_removes_nothing_also_by_the_environment(
    command: Command, local: list[str], engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("sweep", *local, "--dry-run") == OK
    monkeypatch.setenv("DRY_RUN", "true")
    assert command("sweep", *local, "--yes") == OK
    assert deletes(engine) == []
    monkeypatch.setenv("DRY_RUN", "ture")
    with pytest.raises(PolicyError, match="DRY_RUN"):
        command("sweep", *local, "--yes")


def test_a_saved_plan_is_carried_out(
    command: Command, local: list[str], engine: ScriptedEngine, tmp_path: Path
) -> None:
    plan = str(tmp_path / "plan.json")
    assert command("audit", *local, "--save-plan", plan) == OK
    assert command("sweep", *local, "--plan", plan, "--yes") == OK
    assert deletes(engine) == ["a" * 64]


def test_the_hosts_of_a_plan_are_listed(
    command: Command, local: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = str(tmp_path / "plan.json")
    assert command("audit", *local, "--save-plan", plan, "--quiet", "--output", str(tmp_path / "report")) == OK
    assert command("sweep", *local, "--plan", plan, "--list-hosts") == OK
    assert capsys.readouterr().out.startswith("  hosts (1):\n")
