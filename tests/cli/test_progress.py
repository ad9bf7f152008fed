"""The progress display: counts, and the names of awaited hosts after a while."""

from __future__ import annotations

import os
import pty
import re
import select
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fleetsweep.cli.progress import MOST_NAMED, NAMED_AFTER_S, Awaited, progress
from fleetsweep.console import Output
from fleetsweep.model.host import Host

HOSTS = [Host(f"runner-{number:02}", "192.0.2.1") for number in range(1, 41)]


class Clock:
    """A clock that stands where a test puts it."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


END = "end of the display"


def shown(terminal: int) -> str:
    """Return all that was written to stderr. A terminal hands over what was written piece by piece, and later."""
    print(END, file=sys.stderr, flush=True)
    read = b""
    deadline = time.monotonic() + 20
    while END.encode() not in read:
        assert select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0], read
        read += os.read(terminal, 65536)
    return read.decode().partition(END)[0]


@contextmanager
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Make stderr a terminal of 60 columns; yield its other end. pytest replaces stderr after a fixture's set-up."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 60))
    monkeypatch.setenv("TERM", "xterm")
    # Rich asks only the descriptors of the process.
    monkeypatch.setenv("COLUMNS", "60")
    with os.fdopen(slave, "w") as opened, monkeypatch.context() as patch:
        patch.setattr("sys.stderr", opened)
        yield master
    os.close(master)


def test_awaited_hosts_are_named_after_a_while_if_they_are_not_too_many() -> None:
    clock = Clock()
    awaited = Awaited("Surveying", HOSTS, clock)
    assert str(awaited) == "Surveying 0/40"
    clock.now = NAMED_AFTER_S
    assert str(awaited) == "Surveying 0/40, waiting for runner-[01-40]"
    for host in HOSTS[:6] + HOSTS[7:30] + HOSTS[31:]:
        awaited.done(host)
    assert str(awaited) == "Surveying 38/40, waiting for runner-[07,31]"
    awaited.done(HOSTS[6])
    assert str(awaited) == "Surveying 39/40, waiting for runner-31"
    awaited.done(HOSTS[30])
    assert str(awaited) == "Surveying 40/40"
    crowd = Awaited("Surveying", [Host(f"h{number}", "a") for number in range(MOST_NAMED + 1)], clock)
    clock.now *= 3
    assert str(crowd) == "Surveying 0/51"


def test_one_line_has_the_count_and_the_names_and_is_cut_at_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    hosts = [*HOSTS, Host("name-" * 30 + "\x1b[2J", "a")]
    with screen(monkeypatch) as terminal:
        with progress("Surveying", hosts, Output(), clock) as advance:
            for host in HOSTS[:38]:
                advance(host)
            clock.now = 60
        drawn = shown(terminal)
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", drawn).replace("\r", "\n").split("\n")
    last = next(line for line in reversed(lines) if line.strip())
    assert last.startswith("Surveying 38/41, waiting for name-")
    assert last.rstrip().endswith("…")
    assert len(last) <= 60
    assert "\x1b[2J" not in drawn


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("CI", "true"), ("TERM", "dumb"), ("", "")])
def test_nothing_is_redrawn_where_that_is_not_wanted(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with screen(monkeypatch) as terminal:
        if variable:
            monkeypatch.setenv(variable, value)
        with progress("Surveying", HOSTS, Output(quiet=not variable)) as advance:
            advance(HOSTS[0])
        assert shown(terminal) == ""
