"""Monotonic deadlines, and the watchdog that closes connections when they expire.

A timeout per read is not a deadline: a peer that sends one byte every half second never exceeds it. Here each host has
one instant by which it must be done, and then its socket is shut, which ends a blocked read.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

log = logging.getLogger(__name__)


class Watchdog:
    """One thread that runs callbacks at given monotonic instants.

    Leaving the context ends the thread and runs the callbacks that are left: on a busy machine a host may be abandoned
    before its socket was shut, and its thread would block on it for ever.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._alarms: list[tuple[float, int]] = []
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._serial = itertools.count()
        self._closed = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Watchdog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify()
        if self._thread is not None:
            self._thread.join(timeout=5)
        for serial in list(self._callbacks):
            callback = self._callbacks.pop(serial, None)
            if callback is not None:
                _call(callback)

    def call_at(self, instant: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` at a ``time.monotonic`` instant. Return a function that cancels it."""
        with self._condition:
            if self._closed:
                _call(callback)
                return lambda: None
            serial = next(self._serial)
            heapq.heappush(self._alarms, (instant, serial))
            self._callbacks[serial] = callback
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="fleetsweep-watchdog", daemon=True)
                self._thread.start()
            if self._alarms[0] == (instant, serial):
                # The thread needs to wake only if the new alarm is the earliest.
                self._condition.notify()

        def cancel() -> None:
            with self._condition:
                self._callbacks.pop(serial, None)

        return cancel

    def _watch(self) -> None:
        while True:
            with self._condition:
                while not self._closed and (not self._alarms or self._alarms[0][0] > time.monotonic()):
                    self._condition.wait(self._alarms[0][0] - time.monotonic() if self._alarms else None)
                if self._closed:
                    return
                callback = self._callbacks.pop(heapq.heappop(self._alarms)[1], None)
            if callback is not None:
                _call(callback)


def _call(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:  # one socket that can't be closed must not end the watchdog
        log.debug("closing a connection at its deadline failed", exc_info=True)


class Deadline:
    """The instant by which one host must be done: ``instant`` on ``time.monotonic``'s clock."""

    def __init__(self, seconds: float, watchdog: Watchdog) -> None:
        self.instant = time.monotonic() + seconds
        self._watchdog = watchdog
        self.seconds = seconds

    def remaining(self) -> float:
        """Return the seconds left, never below 0."""
        return max(0.0, self.instant - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether the instant has passed."""
        return time.monotonic() >= self.instant

    def within(self, seconds: float) -> Deadline:
        """Return a deadline that many seconds from now, but not later than this one."""
        return Deadline(min(seconds, self.remaining()), self._watchdog)

    @contextmanager
    def closing(self, close: Callable[[], None]) -> Iterator[None]:
        """Call ``close`` at the deadline if the block still runs then. It must end whatever blocks there."""
        cancel = self._watchdog.call_at(self.instant, close)
        try:
            yield
        finally:
            cancel()
