"""Run fleetsweep with a terminal to ask on, and answer its question."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.lab.process import wait_for


class Terminal:
    """A run that has a terminal to ask on."""

    def __init__(self, words: Sequence[str]) -> None:
        self._master, slave = pty.openpty()
        self.child = subprocess.Popen(
            [sys.executable, "-m", "fleetsweep", *words], stdin=slave, stderr=slave, stdout=subprocess.PIPE
        )
        os.close(slave)
        self.seen = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 4096)
            except OSError:
                return
            if not data:
                return
            self.seen += data.decode(errors="replace")

    def answer(self, text: str) -> int:
        """Wait for the question, type, and return the exit code."""
        wait_for(lambda: "[y/N]" in self.seen, "the question")
        os.write(self._master, text.encode())
        with self.child:
            self.child.communicate(timeout=60)
        self._reader.join(10)
        return self.child.returncode

    def close(self) -> None:
        """Hang up."""
        if self.child.poll() is None:
            self.child.kill()
            self.child.communicate()
        os.close(self._master)


@contextmanager
def terminal(words: Sequence[str]) -> Iterator[Terminal]:
    """Start fleetsweep with these words, and hang up after the block."""
    opened = Terminal(words)
    try:
        yield opened
    finally:
        opened.close()
