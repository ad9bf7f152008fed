"""The entry point: exceptions become exit codes and one line on stderr."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fleetsweep.__main__ import run
from fleetsweep.exit_codes import INCOMPLETE, INTERRUPTED, OK, USAGE


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["hosts", "--local"], OK),
        (["hosts"], USAGE),
        (["hosts", "--local", "--cap", "x"], USAGE),
        (["hosts", "--local", "--expect", "x"], USAGE),
        (["nothing"], USAGE),
    ],
)
def test_each_end_has_its_code(
    words: list[str], expected: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLEETSWEEP_INVENTORY", raising=False)
    monkeypatch.setattr(sys, "argv", ["fleetsweep", *words])
    assert run() == expected
    assert ("Error: " in capsys.readouterr().err) is (expected == USAGE)


@pytest.mark.parametrize(
    ("error", "expected"),
    [("KeyboardInterrupt()", INTERRUPTED), ("click.Abort()", INTERRUPTED), ("FleetsweepError('x')", INCOMPLETE)],
)
def test_each_exception_has_its_code(error: str, expected: int) -> None:
    code = (
        "import click, fleetsweep.__main__ as main\nfrom fleetsweep.errors import FleetsweepError\n"
        f"def cli(**_):\n    raise {error}\nmain.cli = cli\nmain.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == expected
    assert "Traceback" not in done.stderr


def test_an_address_in_a_refused_word_is_not_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["fleetsweep", "json://user:s3kr1t@chat"])
    assert run() == USAGE
    assert "s3kr1t" not in capsys.readouterr().err


def test_leaving_waits_for_no_thread_and_loses_no_output() -> None:
    code = (
        "import sys, threading; from fleetsweep.__main__ import leave\n"
        "threading.Thread(target=threading.Event().wait).start()\n"
        "sys.stdout.write('out'); sys.stderr.write('err'); leave(4)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (4, "out", "err")


def test_closed_streams_are_no_place_for_the_next_file() -> None:
    code = "import sys, os; os.execv(sys.executable, [sys.executable, '-m', 'fleetsweep', 'hosts', '--local'])"
    shell = f'exec "$0" -c "{code}" >&- 2>&-'
    done = subprocess.run(["sh", "-c", shell, sys.executable], check=False, env={**os.environ})
    assert done.returncode in {OK, INCOMPLETE}
