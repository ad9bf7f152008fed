"""``fleetsweep explain``."""

from __future__ import annotations

import json

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import OK, USAGE
from tests.cli.conftest import Command
from tests.lab.scripted_engine import ScriptedEngine


def test_it_prints_the_verdict_and_removes_nothing(
    command: Command, local: list[str], engine: ScriptedEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("explain", *local, "ws-stale", "--format", "json") == OK
    assert json.loads(capsys.readouterr().out)["verdict"] == "remove"
    assert {method for method, _ in engine.requests} <= {"GET", "HEAD"}


def test_another_limit_gives_another_verdict(
    command: Command, local: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("explain", *local, "--max-age", "9d", "ws-stale", "--format", "json") == OK
    assert json.loads(capsys.readouterr().out)["verdict"] == "keep"


def test_a_container_must_be_named_and_found(command: Command, local: list[str]) -> None:
    with pytest.raises(UsageError, match="which container"):
        command("explain", *local)
    assert command("explain", *local, "nothing") == USAGE
