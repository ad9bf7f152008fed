"""``fleetsweep show``."""

from __future__ import annotations

import json

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import OK
from tests.cli.conftest import Command


def test_it_shows_the_newest_run_or_the_one_whose_id_begins_so(
    command: Command, local: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    state = local[3:]
    assert command("audit", *local) == OK
    assert command("sweep", *local, "--dry-run") == OK
    capsys.readouterr()
    assert command("show", *state, "--format", "json") == OK
    newest = json.loads(capsys.readouterr().out)
    assert newest["run"]["command"] == "sweep"
    assert command("show", newest["run"]["run_id"], *state, "--format", "json") == OK
    assert json.loads(capsys.readouterr().out) == newest


def test_an_id_that_no_run_has_is_refused(command: Command, local: list[str]) -> None:
    assert command("audit", *local) == OK
    with pytest.raises(UsageError):
        command("show", "1999", *local[3:])
