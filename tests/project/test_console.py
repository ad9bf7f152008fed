"""What a command prints besides its report, and where the report goes."""

from __future__ import annotations

import os
import pty
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from fleetsweep.console import Output, columns, columns_of, count, deliver, is_plain, note
from fleetsweep.exit_codes import GUARD, INCOMPLETE, OK


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


def test_counts_are_in_the_plural_but_for_one() -> None:
    assert [count(number, "host") for number in (0, 1, 2)] == ["0 hosts", "1 host", "2 hosts"]


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, TextIO]]:
    """A terminal of 60 columns that obeys escape sequences: its descriptor and the stream that a command writes to."""
    monkeypatch.setenv("TERM", "xterm")
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 60))
    with os.fdopen(slave, "w") as opened:
        yield slave, opened
    os.close(master)


def test_the_width_is_the_terminals_and_columns_overrides_it(
    stream: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert columns_of(stream[1]) == 60
    termios.tcsetwinsize(stream[0], (0, 0))
    assert columns_of(stream[1]) == 80, "a serial line has no size"
    for given, found in (("132", 132), ("1", 40), ("0", 80), ("-5", 80), ("\u0665", 80), ("9" * 5000, 80)):
        monkeypatch.setenv("COLUMNS", given)
        assert columns_of(stream[1]) == found


def test_a_pipe_and_a_file_have_no_width_unless_columns_gives_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "report").open("w") as opened:
        assert columns_of(opened) is None
        monkeypatch.setenv("COLUMNS", "70")
        assert columns_of(opened) == 70
    assert columns(output()) == 70
    assert columns(output(tmp_path / "report")) is None, "a file is for everyone"


@pytest.mark.parametrize(
    ("variables", "plain"),
    [
        ({}, False),
        ({"TERM": "dumb"}, True),
        ({"TERM": ""}, True),
        ({"NO_COLOR": "1"}, True),
        ({"NO_COLOR": ""}, False),
        ({"CI": "true"}, True),
        ({"CI": "false"}, False),
    ],
)
def test_a_dumb_terminal_no_color_and_a_ci_job_get_plain_text(
    stream: tuple[int, TextIO], variables: dict[str, str], plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_plain(stream[1]) is plain


def test_what_is_no_terminal_gets_plain_text(tmp_path: Path) -> None:
    with (tmp_path / "report").open("w") as opened:
        assert is_plain(opened)
