"""Memory for what engines say: one answer has a bound, and all that are read at once share one of the same size.

A body is charged from before its bytes are read until its values have become nouns. A small one takes what it needs and
does not wait while there is room. A large one waits for its turn. Who has had a turn at reading waits for nobody else
who reads, so nothing can deadlock; and a slow engine that holds one of the two large places leaves the other to all.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from fleetsweep.engine.http11 import BODY_LIMIT

MIB: Final = 2**20
TOTAL: Final = 256 * MIB
"""Bytes that all answers take up that are read and decoded at once."""

LARGE: Final = BODY_LIMIT + BODY_LIMIT // 8
"""Bytes that the largest body takes up while it grows: Python gives a growing array an eighth more."""

DECODING: Final = 72 * MIB
"""Bytes for the values that bodies become, of all answers together."""

SMALL: Final = 8 * MIB
"""Bytes up to which a body is read without waiting for a turn, as long as there is room for small ones."""

_STEP: Final = 64 * 1024


@dataclass(slots=True)
class _Waiter:
    size: int
    turn: threading.Event = field(default_factory=threading.Event)


class Room:
    """So many bytes, given out in the order in which they were asked for."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.left = size
        self._lock = threading.Lock()
        self._line: deque[_Waiter] = deque()

    def take_at_once(self, size: int) -> bool:
        """Take so many bytes if nobody must wait for it. Answers whether they were there."""
        with self._lock:
            if self._line or size > self.left:
                return False
            self.left -= size
            return True

    def take(self, size: int, remaining: Callable[[], float]) -> None:
        """Wait for so many bytes, ``remaining()`` seconds at the most. Raises TimeoutError."""
        if size > self.size:
            raise ValueError(f"{size} bytes of {self.size}")
        with self._lock:
            if not self._line and size <= self.left:
                self.left -= size
                return
            waiter = _Waiter(size)
            self._line.append(waiter)
        try:
            waiter.turn.wait(remaining())
        except BaseException:
            if self._leave(waiter):
                self.give(size)
            raise
        if not self._leave(waiter):
            raise TimeoutError("other answers took up the memory for too long")

    def _leave(self, waiter: _Waiter) -> bool:
        """Out of the line, with or without the turn that may have come a moment ago. Answers whether it had come."""
        with self._lock:
            if waiter.turn.is_set():
                return True
            self._line.remove(waiter)
            self._call_next()
            return False

    def give(self, size: int) -> None:
        """Give back what was taken."""
        with self._lock:
            self.left += size
            self._call_next()

    def _call_next(self) -> None:
        while self._line and self._line[0].size <= self.left:
            waiter = self._line.popleft()
            self.left -= waiter.size
            waiter.turn.set()


class Hold:
    """What one answer takes up at this moment. One thread's alone."""

    def __init__(self, budget: Budget, remaining: Callable[[], float]) -> None:
        self._budget = budget
        self._remaining = remaining
        self._small = 0
        self._large = 0
        self._decoding = 0

    def reserve(self, size: int, most: int) -> None:
        """Before a body grows to ``size`` bytes, of ``most`` that it may come to. Raises TimeoutError."""
        if self._large or size <= self._small:
            return
        if size <= SMALL:
            # Each step doubles it: a body of many pieces asks a few times only.
            small = max(size + size // 8, min(2 * self._small, SMALL), _STEP)
            if self._budget.small.take_at_once(small - self._small):
                self._small = small
                return
        large = min(most + most // 8, self._budget.large.size)
        self._budget.large.take(large, self._remaining)
        self._large = large
        self._give_small()

    def decode(self, size: int) -> None:
        """Before a body becomes values of ``size`` bytes. Raises TimeoutError."""
        if self._decoding:
            self._budget.decoding.give(self._decoding)
            self._decoding = 0
        size = min(size, self._budget.decoding.size)
        self._budget.decoding.take(size, self._remaining)
        self._decoding = size

    def in_time(self) -> None:
        """Raise TimeoutError where the time is up."""
        if self._remaining() <= 0:
            raise TimeoutError("reading the values took too long")

    def release(self) -> None:
        """Give everything back."""
        self._give_small()
        if self._large:
            self._budget.large.give(self._large)
            self._large = 0
        if self._decoding:
            self._budget.decoding.give(self._decoding)
            self._decoding = 0

    def _give_small(self) -> None:
        if self._small:
            self._budget.small.give(self._small)
            self._small = 0


class Budget:
    """The three rooms, and each thread's hold on them."""

    def __init__(
        self, small: int = TOTAL - DECODING - 2 * LARGE, large: int = 2 * LARGE, decoding: int = DECODING
    ) -> None:
        self.small = Room(small)
        self.large = Room(large)
        self.decoding = Room(decoding)
        self._mine = threading.local()

    def begin(self, remaining: Callable[[], float]) -> Hold:
        """This thread's hold for the answer that it is about to read. Whoever begins must ``release`` it."""
        hold = Hold(self, remaining)
        self._mine.hold = hold
        return hold

    @property
    def mine(self) -> Hold:
        """This thread's hold; one on a budget of its own where it has begun none."""
        found: Hold | None = getattr(self._mine, "hold", None)
        return found if found is not None else Hold(Budget(), lambda: 1.0)


SHARED: Final = Budget()
"""The budget of the process."""
