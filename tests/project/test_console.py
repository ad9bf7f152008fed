"""What a command prints besides its report, and where the report goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.console import Output, count, deliver, note, progress
from fleetsweep.exit_codes import GUARD, INCOMPLETE, OK
from fleetsweep.model.host import Host


def output(path: Path | None = None, *, quiet: bool = False) -> Output:
    return Output("table", path, verbose=False, quiet=quiet, fail_on_stale=False, save_plan=None)


def test_a_report_goes_to_stdout_or_to_the_file_and_keeps_the_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deliver("report\n", output(), GUARD) == GUARD
    assert capsys.readouterr().out == "report\n"
    assert deliver("report\n", output(tmp_path / "report"), OK) == OK
    assert (tmp_path / "report").read_text() == "report\n"
    assert capsys.readouterr().out == ""


def test_a_report_whose_file_cannot_be_written_is_printed_and_is_incomplete(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "missing" / "report"
    assert deliver("report\n", output(path), OK) == INCOMPLETE
    printed = capsys.readouterr()
    assert printed.out == "report\n"
    assert f"--output: {path}: " in printed.err


def test_a_report_that_cannot_be_written_hides_no_worse_code(tmp_path: Path) -> None:
    assert deliver("report\n", output(tmp_path / "missing" / "report"), GUARD) == GUARD


def test_quiet_silences_notes(capsys: pytest.CaptureFixture[str]) -> None:
    note("done", output(quiet=True))
    assert capsys.readouterr().err == ""
    note("done", output())
    assert capsys.readouterr().err == "fleetsweep: done\n"


def test_there_is_no_progress_bar_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Surveying", 1, output()) as advance:
        advance(Host("a", "a"))
    assert capsys.readouterr() == ("", "")


def test_counts_are_in_the_plural_but_for_one() -> None:
    assert [count(number, "host") for number in (0, 1, 2)] == ["0 hosts", "1 host", "2 hosts"]
