"""``fleetsweep teardown``."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click
import pytest

from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import OK
from tests.cli.conftest import Command
from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine
from tests.lab.workdir import deletes

MINE = ScriptedContainer("c" * 64, "mine", age=timedelta(minutes=1), labels={"run": "812"})
OTHER = ScriptedContainer("d" * 64, "other", age=timedelta(minutes=1), labels={"run": "813"})


def test_it_removes_what_carries_the_label_however_young(
    command: Command, local: list[str], engine: ScriptedEngine
) -> None:
    engine.containers |= {each.id: each for each in (MINE, OTHER)}
    assert command("teardown", *local, "--run-label", "run=812") == OK
    assert deletes(engine) == [MINE.id]


def test_it_needs_a_run(command: Command, local: list[str]) -> None:
    with pytest.raises(UsageError, match="which run's containers"):
        command("teardown", *local)
    with pytest.raises(UsageError, match="--volumes: a baseline does not list them"):
        command("teardown", *local, "--baseline", "before.json", "--volumes")


def test_a_label_with_an_empty_value_is_refused_with_its_option(command: Command, local: list[str]) -> None:
    with pytest.raises(click.BadParameter, match="is a variable in it unset") as refused:
        command("teardown", *local, "--run-label", "run=")
    assert "'--run-label'" in refused.value.format_message()


def test_a_missing_baseline_removes_nothing(
    command: Command, local: list[str], engine: ScriptedEngine, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"before\.json"):
        command("teardown", *local, "--baseline", str(tmp_path / "before.json"))
    assert engine.requests == []
