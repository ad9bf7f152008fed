"""``fleetsweep doctor``."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.exit_codes import GUARD, INCOMPLETE, OK
from tests.cli.conftest import Command
from tests.lab.scripted_engine import ScriptedEngine


def test_a_host_that_is_reached_is_ok(
    command: Command, local: list[str], engine: ScriptedEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("doctor", *local) == OK
    assert "docker 20.10.24" in capsys.readouterr().out
    assert {method for method, _ in engine.requests} <= {"GET", "HEAD"}


def test_a_host_that_is_not_reached_is_incomplete(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--local", "--engine", f"unix://{tmp_path}/none.sock"]
    assert command("doctor", *words, "--output", str(tmp_path / "result")) == INCOMPLETE
    assert capsys.readouterr().out == ""
    assert "none.sock" in (tmp_path / "result").read_text()


def test_an_unexpected_number_of_hosts_contacts_none(
    command: Command, local: list[str], engine: ScriptedEngine
) -> None:
    assert command("doctor", *local, "--expect", "2") == GUARD
    assert engine.requests == []


def test_what_ansible_would_read_is_listed_unless_quiet(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ansible.cfg").write_text("[defaults]\nremote_user = ci\n")
    (tmp_path / "hosts").write_text("here ansible_connection=local fleetsweep_engine=unix:///nonexistent.sock\n")
    words = ["doctor", "-i", "hosts"]
    assert command(*words) == INCOMPLETE
    assert "    remote_user = ci: ansible_user=ci, or --user ci\n" in capsys.readouterr().err
    assert command("hosts", "-i", "hosts", "-v") == OK
    assert "remote_user = ci" in capsys.readouterr().err
    assert command(*words, "--quiet") == INCOMPLETE
    assert "remote_user" not in capsys.readouterr().err
