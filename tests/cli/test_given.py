"""The options that were given to a command, as words."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from fleetsweep.cli import cli
from fleetsweep.cli.given import given


def words(*line: str) -> list[str]:
    command = cli.get_command(click.Context(cli), "audit")
    assert command is not None
    return [each.word for each in given(command.make_context("audit", list(line)))]


def test_only_what_was_given_is_there_and_a_path_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ci")
    assert words() == []
    assert words("-T", "1m", "-v", "--known-hosts", "a", "--known-hosts", "~/b", "--cap", "3") == [
        "--timeout=60s",
        f"--known-hosts={tmp_path / 'a'}",
        "--known-hosts=/home/ci/b",
        "--cap=3",
        "--verbose",
    ]


def test_a_variable_of_the_environment_counts_as_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEETSWEEP_STATE_DIR", "/srv/state")
    assert words() == ["--state-dir=/srv/state"]


def test_a_default_that_was_typed_counts_as_given() -> None:
    assert words("--timeout", "10s", "--format", "table") == ["--timeout=10s", "--format=table"]
