"""``fleetsweep baseline``."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from fleetsweep.exit_codes import GUARD, INCOMPLETE, OK
from tests.cli.conftest import Command
from tests.lab.scripted_engine import ScriptedEngine


def test_it_saves_the_ids_that_the_selectors_match(
    command: Command, local: list[str], engine: ScriptedEngine, tmp_path: Path
) -> None:
    path = tmp_path / "before.json"
    assert command("baseline", *local, "--save", str(path), "--quiet") == OK
    text = path.read_text()
    assert "a" * 64 in text
    assert "b" * 64 not in text
    assert json.loads(text)
    assert {method for method, _ in engine.requests} <= {"GET", "HEAD"}


def test_nothing_is_written_where_a_host_could_not_be_surveyed(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "before.json"
    words = ["--local", "--engine", f"unix://{tmp_path}/none.sock", "--state-dir", str(tmp_path)]
    assert command("baseline", *words, "--save", str(path)) == INCOMPLETE
    assert not path.exists()
    assert "no baseline was written" in capsys.readouterr().err


def test_nothing_is_written_for_an_unexpected_number_of_hosts(
    command: Command, local: list[str], tmp_path: Path
) -> None:
    assert command("baseline", *local, "--save", str(tmp_path / "x"), "--expect", "2") == GUARD
    assert not (tmp_path / "x").exists()


def test_the_file_must_be_named(command: Command, local: list[str]) -> None:
    with pytest.raises(click.MissingParameter, match="save"):
        command("baseline", *local)
