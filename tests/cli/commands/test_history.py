"""``fleetsweep history``."""

from __future__ import annotations

import json

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import OK, STALE
from tests.cli.conftest import Command


def test_it_lists_the_runs_and_those_that_failed(
    command: Command, local: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    state = local[3:]
    assert command("audit", *local) == OK
    assert command("audit", *local, "--fail-on-stale") == STALE
    capsys.readouterr()
    assert command("history", *state, "--format", "json") == OK
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 2
    assert command("history", *state, "--format", "json", "--failed") == OK
    assert [run["exit_code"] for run in json.loads(capsys.readouterr().out)["runs"]] == [STALE]


def test_no_matching_run_is_no_error(command: Command, local: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command("audit", *local) == OK
    assert command("history", *local[3:], "--host", "elsewhere") == OK
    assert "No matching runs." in capsys.readouterr().err


def test_a_missing_journal_is_refused(command: Command, local: list[str]) -> None:
    with pytest.raises(UsageError):
        command("history", *local[3:])
