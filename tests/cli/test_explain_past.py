"""``explain --past``: from the journal alone."""

from __future__ import annotations

import json

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import OK, USAGE
from tests.cli.conftest import Command
from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir


def test_it_shows_why_a_container_went_and_contacts_no_engine(
    command: Command, local: list[str], engine: ScriptedEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    state = local[3:]
    command("audit", *local)
    command("sweep", *local, "--yes")
    asked = len(engine.requests)
    capsys.readouterr()
    assert command("explain", "--past", *state, "ws-stale", "--format", "json") == OK
    shown = json.loads(capsys.readouterr().out)
    assert (shown["id"], shown["leaks"][0]["runs"], shown["leaks"][0]["ended_as"]) == ("a" * 64, 2, "removed")
    assert shown["removals"][0]["reason"] == "stale"
    assert command("explain", "--past", *state, "aaaa") == OK
    assert "what became of it: removed" in capsys.readouterr().out
    assert len(engine.requests) == asked


def test_an_ambiguous_name_lists_its_containers(
    command: Command, workdir: Workdir, capsys: pytest.CaptureFixture[str]
) -> None:
    two = [ScriptedContainer(digit * 64, f"ws-{digit}") for digit in "cd"]
    with ScriptedEngine(two).serve(workdir.socket) as url:
        command("audit", *workdir.local(url))
    assert command("explain", "--past", "--state-dir", str(workdir.state), "ws-") == USAGE
    shown = capsys.readouterr().err
    assert "means 2 containers" in shown
    assert all(digit * 12 in shown for digit in "cd")


def test_a_container_that_no_run_saw_and_an_inventory_are_refused(command: Command, local: list[str]) -> None:
    command("audit", *local)
    with pytest.raises(UsageError, match="no run saw such a container"):
        command("explain", "--past", *local[3:], "postgres")
    with pytest.raises(UsageError, match="leave out --inventory"):
        command("explain", "--past", *local, "ws-stale")
    with pytest.raises(UsageError, match="which container"):
        command("explain", "--past", *local[3:])
