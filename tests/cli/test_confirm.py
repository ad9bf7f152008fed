"""The question before a removal."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest

from fleetsweep.cli.confirm import confirmed
from fleetsweep.cli.signals import SignalHandler
from tests.report.build import candidates, surveyed


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("y\n", True), ("YES\n", True), (" y ", True), ("", False), ("n\n", False), ("yep\n", False), ("\n", False)],
)
def test_only_yes_is_a_yes(
    answer: str, expected: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    plan = surveyed("runner-1", candidates("ws", 2)).plan
    assert plan is not None
    signals = SignalHandler(threading.Event())
    assert confirmed([plan], signals, verbose=False) is expected
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Remove 2 containers on 1 host? [y/N] " in printed.err
    assert ("Nothing was removed." in printed.err) is not expected
    assert not signals.asking


def test_a_terminal_that_hung_up_is_a_no(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plan = surveyed("runner-1", candidates("ws", 1)).plan
    assert plan is not None
    # Reading a file that was opened to be written raises an OSError, as a terminal does that hung up.
    with (tmp_path / "file").open("w") as unreadable:
        monkeypatch.setattr("sys.stdin", unreadable)
        assert not confirmed([plan], SignalHandler(threading.Event()), verbose=True)
