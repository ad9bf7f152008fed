"""A run's report, printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.cli.print_report import print_report
from fleetsweep.console import Output
from fleetsweep.exit_codes import BUG, INCOMPLETE, OK
from tests.report.build import lost, report, surveyed


def test_the_report_is_printed_and_its_code_returned(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_report(report(lost("down"), exit_code=INCOMPLETE), Output()) == INCOMPLETE
    assert "down" in capsys.readouterr().out


def test_a_report_in_a_file_has_no_colours(tmp_path: Path) -> None:
    path = tmp_path / "report"
    assert print_report(report(surveyed("fine")), Output(path=path)) == OK
    assert "\x1b" not in path.read_text()


def test_a_bug_in_a_format_still_names_every_host(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def bug(*_: object, **__: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr("fleetsweep.report.render", bug)
    assert print_report(report(surveyed("fine"), lost("down")), Output()) == BUG
    assert capsys.readouterr().out == "fine: ok\ndown: unreachable\n"
    assert "a bug in the report" in caplog.text
