"""``show --format json``: the report of a past run, or a warning that it is not kept."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from tests.cli.conftest import Command
from tests.lab.workdir import Workdir


def test_json_has_the_report_that_the_run_printed(
    command: Command, local: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command("sweep", *local, "--yes", "--format", "json")
    printed = json.loads(capsys.readouterr().out)
    command("show", *local[3:], "--format", "json")
    shown = json.loads(capsys.readouterr().out)
    assert shown["schema"] == "fleetsweep.run/1"
    assert shown["report"] == printed
    assert [(each["image"], each["reason"]) for each in shown["removals"]] == [
        ("molecule-local/workspace-template-x:1", "stale")
    ]


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ("DELETE FROM report_part", "has no report in the journal"),
        ("UPDATE report_part SET document = x'00'", "is damaged"),
        ("DELETE FROM report_part; UPDATE run SET exit_code = NULL", "did not end"),
    ],
)
def test_a_report_that_is_not_there_is_null_with_a_warning(
    command: Command, local: list[str], workdir: Workdir, capsys: pytest.CaptureFixture[str], change: str, warning: str
) -> None:
    command("audit", *local)
    with closing(sqlite3.connect(workdir.state / "journal.db")) as journal, journal:
        journal.executescript(change)
    capsys.readouterr()
    assert command("show", *local[3:], "--format", "json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["report"] is None
    assert warning in shown.err
