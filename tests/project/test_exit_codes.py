"""The exit codes: their names, their meanings, and which one counts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fleetsweep import exit_codes
from fleetsweep.cli import cli
from fleetsweep.exit_codes import BUG, GUARD, INCOMPLETE, INTERRUPTED, OK, REMOVAL, SIGNAL, STALE, USAGE, meaning, worst


def test_every_code_has_a_meaning() -> None:
    named = {value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)}
    assert named - {SIGNAL, INTERRUPTED} == set(exit_codes.MEANINGS)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((), OK),
        ((OK, OK), OK),
        ((OK, BUG), BUG),
        ((BUG, STALE), STALE),
        ((STALE, INCOMPLETE), INCOMPLETE),
        ((INCOMPLETE, REMOVAL), REMOVAL),
        ((REMOVAL, GUARD), GUARD),
        ((GUARD, SIGNAL + 15), SIGNAL + 15),
    ],
)
def test_the_first_of_the_table_counts(codes: tuple[int, ...], expected: int) -> None:
    assert worst(*codes) == worst(*reversed(codes)) == expected


def test_a_signal_is_named_by_its_number() -> None:
    assert meaning(INTERRUPTED) == "stopped by signal 2"
    assert meaning(USAGE) == "usage: nothing was contacted"


def test_a_command_returns_its_code_inside_the_callers_process(tmp_path: Path) -> None:
    inventory = tmp_path / "fleet.ini"
    inventory.write_text("a\nb\n")
    words = ["hosts", "-i", str(inventory)]
    assert cli.main(words, standalone_mode=False) == OK
    assert cli.main([*words, "--expect", "3"], standalone_mode=False) == GUARD
    assert cli.main(["--help"], standalone_mode=False) == OK


def test_only_the_entry_point_exits_and_a_second_signal() -> None:
    root = Path(exit_codes.__file__).parent
    exits = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if any(word in path.read_text() for word in ("sys.exit", "os._exit", "SystemExit("))
    }
    assert exits == {"__main__.py", "cli/signals.py"}


def test_a_reader_that_closed_the_pipe_is_no_bug(tmp_path: Path) -> None:
    inventory = tmp_path / "fleet.ini"
    inventory.write_text("".join(f"host-{number}\n" for number in range(5000)))
    command = [sys.executable, "-m", "fleetsweep", "hosts", "-i", str(inventory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(60) == INCOMPLETE
