"""Run fleetsweep as a child process that a test can watch, signal and kill, and read the intents of its journal."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.lab.process import wait_for


class FleetsweepProcess:
    """One fleetsweep process. Its output goes to files, so it never blocks on a reader."""

    def __init__(self, words: Sequence[str], *, stdout: int | None = None) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="fsc-")
        self._out = Path(self._directory.name) / "out"
        self._err = Path(self._directory.name) / "err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "fleetsweep", *words],
                stdin=subprocess.DEVNULL,
                stdout=out if stdout is None else stdout,
                stderr=err,
                cwd=self._directory.name,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()
        self._directory.cleanup()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    @property
    def stdout(self) -> str:
        """Its standard output so far."""
        return self._out.read_text()

    @property
    def stderr(self) -> str:
        """Its standard error so far."""
        return self._err.read_text()

    def alive(self) -> bool:
        """Return whether it still runs."""
        return self._child.poll() is None

    def kill(self) -> None:
        """Send SIGKILL, as the OOM killer would. Thread-safe and idempotent."""
        if self._child.returncode is None:
            self._child.kill()
            self._child.wait(10)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal and wait until its handler has run, or the process has ended."""
        before = self._switches()
        self._child.send_signal(number)

        def handled() -> bool:
            # The main thread has slept again since, so the handler has run.
            return not self.alive() or (not self._pending(number) and self._switches() >= before + 3)

        wait_for(handled, f"{number.name} being handled", 10)

    def finish(self, seconds: float = 60) -> int:
        """Wait for its end; return the exit code."""
        return self._child.wait(seconds)

    def report(self) -> dict[str, Any]:
        """Return the JSON report that it printed."""
        found: dict[str, Any] = json.loads(self.stdout)
        return found

    def _status(self) -> dict[str, str]:
        try:
            text = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return {}
        return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)

    def _switches(self) -> int:
        return int(self._status().get("voluntary_ctxt_switches", "0"))

    def _pending(self, number: int) -> bool:
        pending = int(self._status().get("ShdPnd", "0"), 16) | int(self._status().get("SigPnd", "0"), 16)
        return bool(pending >> (number - 1) & 1)


def intents(state: Path) -> list[dict[str, Any]]:
    """Return every intent in a state directory's journal, oldest first."""
    with closing(sqlite3.connect(state / "journal.db", timeout=10)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute("SELECT * FROM intent ORDER BY id")]
