"""Programs that are started here: each in a session of its own, and ended with whatever it started.

Inventory programs, the commands of ``Match exec`` and ProxyCommands are other people's. Left alone, one that hangs
stays for as long as the machine runs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

PATIENCE_S: Final = 1.0
"""What a program gets to end by itself, once told to, before it is killed."""

_POLL_S: Final = 0.01


class Child:
    """A running program in a process group of its own. Raises OSError or ValueError if it can't start."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: int,
        stdout: int,
        stderr: int,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        # Here and not above: a help text starts nothing.
        import subprocess

        with _starting(), _undisturbed():
            self.process = subprocess.Popen(  # noqa: S603 - the operator named this program
                command,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                cwd=cwd,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
            _running[self.process.pid] = self

    def status(self, patience_s: float) -> int | None:
        """How it ended, minus the signal if one ended it; None if it still runs by then. It stays to be reaped."""
        ends = time.monotonic() + patience_s
        while True:
            try:
                found = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return self.process.returncode
            if found is not None:
                return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
            if time.monotonic() >= ends:
                return None
            time.sleep(_POLL_S)

    def end(self) -> None:
        """End it and its children. Once called, the pipes are closed, too."""
        try:
            for number, patience in ((signal.SIGTERM, PATIENCE_S), (signal.SIGKILL, 0)):
                self.signal(number)
                self.status(patience)
        finally:
            self.signal(signal.SIGKILL)
            if self.status(PATIENCE_S) is not None:
                self.process.wait()
            _running.pop(self.process.pid, None)
            for pipe in (self.process.stdout, self.process.stderr):
                if pipe is not None:
                    pipe.close()

    def signal(self, number: int) -> None:
        """Send a signal to its group. It is not reaped before the last one, so the group can't be a stranger's."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)


# No lock: a signal handler must not wait for one. What is done to it is done by the interpreter in one step.
_running: Final[dict[int, Child]] = {}
_being_started: Final[set[object]] = set()


@contextmanager
def _starting() -> Iterator[None]:
    token = object()
    _being_started.add(token)
    try:
        yield
    finally:
        _being_started.remove(token)


def kill_all() -> None:
    """End whatever still runs, at once: this process is about to end."""
    # A program that another thread is starting runs before it is known here.
    ends = time.monotonic() + PATIENCE_S
    while _being_started and time.monotonic() < ends:
        time.sleep(_POLL_S)
    for child in list(_running.values()):
        child.signal(signal.SIGTERM)
    for child in list(_running.values()):
        child.status(0.05)
        child.signal(signal.SIGKILL)


class Ended(SystemExit):
    """A signal ended the program before anything began that must be ended in good order."""


_disturbing = True
_waiting: list[int] = []


def end_on_signals() -> None:
    """Have SIGTERM and SIGHUP end the program as Ctrl-C does: by an exception, so that children are ended."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _on_signal)


def _on_signal(number: int, frame: FrameType | None) -> None:
    if _disturbing:
        _raise(number)
    _waiting.append(number)


def _raise(number: int) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Ended(128 + number)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Between the start of a program and the moment it is known here no signal may come."""
    global _disturbing  # noqa: PLW0603 - signals are the process's, too
    before, _disturbing = _disturbing, False
    try:
        yield
    finally:
        _disturbing = before
        if before and _waiting:
            _raise(_waiting.pop(0))
