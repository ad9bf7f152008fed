"""Child processes: each runs in its own session and is ended together with its descendants.

Inventory programs, ``Match exec`` commands and ProxyCommands are not ours. One that hangs would otherwise stay for as
long as the machine runs.
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
"""Seconds between SIGTERM and SIGKILL."""

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
        # Imported late: most commands start no program.
        import subprocess

        with _starting(), _signals_deferred():
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
        """Return its exit status, or minus the signal that ended it; None after ``patience_s`` seconds.

        It is not reaped.
        """
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
        """End it and its descendants, reap it, and close its pipes."""
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
        """Send a signal to its process group. It is reaped last, so that the group id can't have been reused."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)


# No lock, because a signal handler must not wait for one. Each operation on it is atomic in the interpreter.
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
    """End all running children at once, because this process is about to end."""
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
    """A signal ended the program before it had anything to clean up but children. ``status`` is the exit code."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


_deliver_signals = True
_deferred: list[int] = []


def end_on_signals() -> None:
    """Make SIGTERM and SIGHUP end the program as Ctrl-C does, by an exception, so that children are ended."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _on_signal)


def _on_signal(number: int, frame: FrameType | None) -> None:
    if _deliver_signals:
        _raise(number)
    _deferred.append(number)


def _raise(number: int) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Ended(128 + number)


@contextmanager
def _signals_deferred() -> Iterator[None]:
    """Defer signals while a child is started and registered, so that no signal leaves one running unregistered."""
    global _deliver_signals  # noqa: PLW0603 - signals are per process, too
    before, _deliver_signals = _deliver_signals, False
    try:
        yield
    finally:
        _deliver_signals = before
        if before and _deferred:
            _raise(_deferred.pop(0))
