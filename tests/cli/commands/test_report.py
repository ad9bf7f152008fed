"""``fleetsweep report``."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import INCOMPLETE, OK
from tests.cli.conftest import Command


def test_it_writes_the_page_to_a_file_or_to_stdout(
    command: Command, local: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, state = tmp_path / "fleet.html", local[3:]
    assert command("audit", *local) == OK
    assert command("report", *state, "--html", str(file)) == OK
    capsys.readouterr()
    assert command("report", *state, "--html", "-", "--since", "1d") == OK
    shown = capsys.readouterr().out
    assert shown.startswith("<!DOCTYPE html>")
    assert shown.endswith("</html>\n")
    assert file.read_text().startswith("<!DOCTYPE html>")
    assert "1 stale container not removed" in shown


def test_a_file_that_cant_be_written_is_an_error_and_keeps_what_was_there(
    command: Command, local: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("audit", *local) == OK
    assert command("report", *local[3:], "--html", str(tmp_path / "none" / "fleet.html")) == INCOMPLETE
    assert "no page was written" in capsys.readouterr().err


def test_a_missing_journal_is_refused_and_nothing_is_written(
    command: Command, local: list[str], tmp_path: Path
) -> None:
    with pytest.raises(UsageError):
        command("report", *local[3:], "--html", str(tmp_path / "fleet.html"))
    assert not (tmp_path / "fleet.html").exists()
