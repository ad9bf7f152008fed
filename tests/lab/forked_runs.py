"""Many short runs, each forked from one process that has loaded the program, and killed after a given time.

A run starts in milliseconds this way. ``python -m tests.lab.forked_runs`` reads one request a line, as JSON, and prints
one result a line.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

POLL_S = 0.001


class ForkedRuns:
    """The process that forks runs."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        self._child.wait(30)
        self._child.stdout.close()

    def run(self, words: Sequence[str], kill_after_s: float | None = None) -> tuple[int, float]:
        """Run fleetsweep with SIGKILL after a time; return its exit code, or -9, and the seconds that it took."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps([list(words), kill_after_s]) + "\n")
        self._child.stdin.flush()
        code, seconds = json.loads(self._child.stdout.readline())
        return int(code), float(seconds)


def _fork(words: Sequence[str], kill_after_s: float | None) -> tuple[int, float]:
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        sys.argv = ["fleetsweep", *words]
        from fleetsweep.__main__ import main

        main()
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        seconds = time.monotonic() - began
        if ended:
            return os.waitstatus_to_exitcode(status), seconds
        if kill_after_s is not None and seconds >= kill_after_s:
            # The child is not reaped yet, so its id is still its own.
            os.kill(pid, signal.SIGKILL)
            kill_after_s = None
        time.sleep(POLL_S)


def main() -> None:
    """Fork a run for each line until the input ends."""
    # Loaded once, before the first fork.
    import fleetsweep.cli.commands.sweep
    import fleetsweep.cli.run
    import fleetsweep.report.archive
    import fleetsweep.store.journal
    import fleetsweep.sweep.phases  # noqa: F401

    for line in sys.stdin:
        words, kill_after_s = json.loads(line)
        print(json.dumps(_fork(words, kill_after_s)), flush=True)


if __name__ == "__main__":
    main()
