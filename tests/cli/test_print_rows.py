"""Rows printed on stdout while the run goes on."""

from __future__ import annotations

import errno
import json
import os
import sys
import threading

import pytest

from fleetsweep.cli.print_rows import RowPrinter
from fleetsweep.console import Output
from fleetsweep.exit_codes import BUG, INCOMPLETE, OK
from fleetsweep.report import render
from tests.lab.process import wait_for
from tests.report.build import fleet, lost, report, surveyed

OUTPUT = Output(style="jsonl")


def test_what_was_printed_in_between_and_at_the_end_is_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    made = fleet()
    first, *_, last = made.hosts
    with RowPrinter() as printer:
        printer.print(last)
        printer.print(first)
        assert printer.finish(made, OUTPUT) == made.exit_code
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["host"] for line in lines[:2]] == [last.host.name, first.host.name]
    whole = render(made, "jsonl").splitlines()
    assert (sorted(lines), lines[-1]) == (sorted(whole), whole[-1])


def test_a_row_is_printed_at_once_and_a_run_that_gives_up_leaves_what_was_queued(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with RowPrinter() as printer:
        printer.print(surveyed("a"))
        wait_for(lambda: '"host": "a"' in capsys.readouterr().out, "the row being printed")
        printer.print(surveyed("b"))
    assert '"host": "b"' in capsys.readouterr().out


def test_a_reader_that_does_not_read_holds_up_nothing_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    got: list[bytes] = []
    with os.fdopen(writing, "w") as pipe, RowPrinter() as printer:
        monkeypatch.setattr(sys, "stdout", pipe)
        rows = [surveyed(f"host-{number}") for number in range(500)]
        for row in rows:
            printer.print(row)

        def read() -> None:
            while part := os.read(reading, 1 << 16):
                got.append(part)

        reader = threading.Thread(target=read)
        reader.start()
        assert printer.finish(report(*rows), OUTPUT) == OK
    reader.join()
    os.close(reading)
    assert len(b"".join(got).splitlines()) == 501


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [(BrokenPipeError(), OK, ""), (OSError(errno.ENOSPC, "No space left on device"), INCOMPLETE, "can't be written")],
)
def test_after_an_error_nothing_more_is_printed(
    error: OSError, code: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        written = 0

        def write(self, text: str) -> None:
            self.written += 1
            raise error

    stdout = Broken()
    monkeypatch.setattr(sys, "stdout", stdout)
    with RowPrinter() as printer:
        printer.print(surveyed("a"))
        wait_for(lambda: stdout.written > 0, "the first row")
        printer.print(surveyed("b"))
        assert printer.finish(report(surveyed("a"), surveyed("b")), OUTPUT) == code
    assert stdout.written == 1
    assert message in capsys.readouterr().err


def test_a_bug_in_a_row_still_names_every_host(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def bug(*_: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr("fleetsweep.report.jsonl.host_object", bug)
    with RowPrinter() as printer:
        printer.print(surveyed("a"))
        assert printer.finish(report(surveyed("a"), lost("down")), OUTPUT) == BUG
    assert capsys.readouterr().out == "a: ok\ndown: unreachable\n"
