"""``history --by`` and ``history prune``."""

from __future__ import annotations

import json

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import OK
from tests.cli.conftest import Command


def test_leaks_are_summed_up_by_what_is_asked_for(
    command: Command, local: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    state = local[3:]
    command("audit", *local)
    command("sweep", *local, "--yes")
    capsys.readouterr()
    assert command("history", *state, "--by", "image", "--format", "json") == OK
    (group,) = json.loads(capsys.readouterr().out)["groups"]
    assert (group["key"], group["runs"], group["leaks"], group["removals"], group["new"]) == (
        "molecule-local/workspace-template-x:1", 2, 1, 1, None,
    )  # fmt: skip
    assert command("history", *state, "--per", "day", "--since", "2d", "-v", "--format", "json") == OK
    shown = json.loads(capsys.readouterr().out)
    assert (shown["by"], len(shown["groups"][0]["periods"]), shown["journal"]["leaks"]) == ("fleet", 3, 1)
    assert [day["leaks"] for day in shown["groups"][0]["periods"]] == [None, None, 1]
    assert command("history", *state, "--by", "label:team", "--since", "1h", "--host", "elsewhere") == OK
    assert "No run was recorded in this time." in capsys.readouterr().err


def test_pruning_prints_what_went_and_needs_its_own_options(
    command: Command, local: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command("audit", *local)
    capsys.readouterr()
    state = local[3:]
    assert command("history", "prune", *state, "--keep", "90d", "--format", "json") == OK
    assert json.loads(capsys.readouterr().out)["runs"] == 0
    for words in (["prune"], ["--keep", "90d"], ["prune", "--keep", "1h"], ["prune", "--keep", "90d", "--by", "host"]):
        with pytest.raises(UsageError):
            command("history", *state, *words)
    with pytest.raises(UsageError, match="leave one out"):
        command("history", *state, "--by", "host", "--failed")
