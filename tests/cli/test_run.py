"""The pipeline of audit, sweep and teardown, in this process, against a scripted engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import BUG, GUARD, INCOMPLETE, OK
from fleetsweep.policy.guards import FleetPlanner
from tests.cli.conftest import Command
from tests.lab.scripted_engine import ScriptedEngine
from tests.lab.workdir import deletes


def test_a_sweep_removes_what_is_stale_and_nothing_else(
    command: Command, local: list[str], engine: ScriptedEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("sweep", *local, "--yes", "--format", "json") == OK
    assert deletes(engine) == ["a" * 64]
    (row,) = json.loads(capsys.readouterr().out)["hosts"]
    assert row["status"] == "ok"


def test_an_unexpected_number_of_hosts_contacts_none(
    command: Command, local: list[str], engine: ScriptedEngine
) -> None:
    assert command("sweep", *local, "--yes", "--expect", "2") == GUARD
    assert engine.requests == []


def test_an_audit_goes_on_without_a_journal_and_a_sweep_does_not(
    command: Command, local: list[str], engine: ScriptedEngine, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    words = [*local, "--state-dir", str(tmp_path / "file")]
    assert command("audit", *words) == OK
    assert "this run is not recorded" in capsys.readouterr().err
    with pytest.raises(UsageError):
        command("sweep", *words, "--yes")
    assert deletes(engine) == []


def test_a_plan_that_cannot_be_saved_makes_the_run_incomplete(
    command: Command,
    local: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fleetsweep.store.plan_file.save", full)
    assert command("audit", *local, "--save-plan", str(tmp_path / "plan.json")) == INCOMPLETE
    assert "no plan was saved" in capsys.readouterr().err


def test_a_bug_in_a_phase_is_reported_with_the_rows(
    command: Command, local: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def bug(*_: object, **__: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(FleetPlanner, "add", bug)
    assert command("audit", *local, "--format", "json") == BUG
    (row,) = json.loads(capsys.readouterr().out)["hosts"]
    assert (row["status"], row["error"]["kind"]) == ("failed", "bug")


def test_a_row_that_was_final_before_a_bug_stays_as_it_was_printed(
    command: Command, local: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def bug(*_: object, **__: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(FleetPlanner, "finish", bug)
    assert command("audit", *local, "--format", "jsonl") == BUG
    row, head = map(json.loads, capsys.readouterr().out.splitlines())
    assert (row["status"], head["totals"]["ok"], head["exit_code"]) == ("ok", 1, BUG)
