"""The group of commands."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from fleetsweep.cli import SUMMARIES, cli
from fleetsweep.exit_codes import INCOMPLETE


def test_every_module_of_commands_is_a_command() -> None:
    from pathlib import Path

    from fleetsweep.cli import commands

    modules = {path.stem for path in Path(commands.__file__ or "").parent.glob("*.py")} - {"__init__"}
    assert modules == set(SUMMARIES)


def test_a_name_that_is_no_command_is_refused() -> None:
    with pytest.raises(click.UsageError, match="No such command 'options'"):
        cli.main(["options"], standalone_mode=False)


def test_using_a_command_loads_no_other() -> None:
    code = (
        "import sys; from fleetsweep.cli import cli; cli.main(['show', '--help'], standalone_mode=False)\n"
        "print(*(name for name in sys.modules if name.startswith('fleetsweep.cli.commands.')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr.split() == ["fleetsweep.cli.commands.show"]


def test_a_closed_pipe_is_an_incomplete_output(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("fleetsweep.cli.targets.select", closed)
    assert cli.main(["hosts"], standalone_mode=False) == INCOMPLETE
