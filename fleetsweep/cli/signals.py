"""Signals that end a run early."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

from fleetsweep.exit_codes import SIGNAL
from fleetsweep.runtime.children import kill_all


class SignalHandler:
    """Asks the run to stop at the first SIGINT, SIGTERM or SIGHUP, and ends the program at the second."""

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped = stopped
        self.signal: int | None = None
        self.asking = False

    def install(self) -> None:
        """Handle the three signals. SIGHUP stays ignored under nohup."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            kill_all()
            # The operator insists: threads that are stuck in dead connections must not delay the end.
            os._exit(SIGNAL + number)
        self.signal = number
        self._stopped.set()
        if self.asking:
            raise KeyboardInterrupt
