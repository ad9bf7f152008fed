"""``fleetsweep audit``."""

from __future__ import annotations

import json

import pytest

from fleetsweep.exit_codes import OK, STALE
from tests.cli.conftest import Command
from tests.lab.scripted_engine import ScriptedEngine


def test_it_sends_nothing_but_get(command: Command, local: list[str], engine: ScriptedEngine) -> None:
    assert command("audit", *local) == OK
    assert {method for method, _ in engine.requests} <= {"GET", "HEAD"}


def test_stale_containers_are_an_error_where_that_is_asked_for(
    command: Command, local: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("audit", *local, "--fail-on-stale", "--format", "json") == STALE
    assert json.loads(capsys.readouterr().out)["exit_code"] == STALE


def test_hosts_are_listed_without_contacting_them(
    command: Command, local: list[str], engine: ScriptedEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("audit", *local, "--list-hosts") == OK
    assert capsys.readouterr().out.startswith("  hosts (1):\n")
    assert engine.requests == []


def test_a_host_that_was_never_surveyed_before_is_silent(
    command: Command, local: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("audit", *local, "--max-silence", "26h") == OK
    assert "ws-stale" not in capsys.readouterr().err
