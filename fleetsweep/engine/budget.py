"""The memory that engine responses may use: a limit for each response, and one budget that all responses share.

A response reserves memory before its body is read and keeps it until the body has been decoded into our types. A small
response takes what it needs at once while there is memory. A large one waits in a queue, first come first served. A
response that was granted memory never waits for one that is still reading, so there can be no deadlock. Two large
responses fit at once, so one slow engine does not block the others.
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
"""Bytes for all responses that are being read and decoded at the same time."""

LARGE: Final = BODY_LIMIT + BODY_LIMIT // 8
"""Bytes that the largest body needs while it grows: Python over-allocates a growing bytearray by an eighth."""

DECODING: Final = 72 * MIB
"""Bytes for decoded JSON values, of all responses together."""

SMALL: Final = 8 * MIB
"""Bytes. A body up to this size does not queue as long as the pool for small bodies has room."""

_STEP: Final = 64 * 1024


@dataclass(slots=True)
class _Waiter:
    size: int
    granted: threading.Event = field(default_factory=threading.Event)


class MemoryPool:
    """A number of bytes, granted in the order of the requests."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.left = size
        self._lock = threading.Lock()
        self._queue: deque[_Waiter] = deque()

    def try_acquire(self, size: int) -> bool:
        """Acquire ``size`` bytes without waiting. Return whether they were free and no one else is queued."""
        with self._lock:
            if self._queue or size > self.left:
                return False
            self.left -= size
            return True

    def acquire(self, size: int, remaining: Callable[[], float]) -> None:
        """Wait up to ``remaining()`` seconds for ``size`` bytes. Raises TimeoutError."""
        if size > self.size:
            raise ValueError(f"{size} bytes of {self.size}")
        with self._lock:
            if not self._queue and size <= self.left:
                self.left -= size
                return
            waiter = _Waiter(size)
            self._queue.append(waiter)
        try:
            waiter.granted.wait(remaining())
        except BaseException:
            if self._dequeue(waiter):
                self.release(size)
            raise
        if not self._dequeue(waiter):
            raise TimeoutError("other responses held the memory for too long")

    def _dequeue(self, waiter: _Waiter) -> bool:
        """Remove a waiter from the queue. Return whether it was granted its bytes, possibly a moment ago."""
        with self._lock:
            if waiter.granted.is_set():
                return True
            self._queue.remove(waiter)
            self._grant_next()
            return False

    def release(self, size: int) -> None:
        """Return acquired bytes to the pool."""
        with self._lock:
            self.left += size
            if self._queue:
                self._grant_next()

    def _grant_next(self) -> None:
        while self._queue and self._queue[0].size <= self.left:
            waiter = self._queue.popleft()
            self.left -= waiter.size
            waiter.granted.set()


class Reservation:
    """The memory that one response holds at this moment. Not thread-safe: it belongs to one thread."""

    def __init__(self, budget: Budget, remaining: Callable[[], float]) -> None:
        self._budget = budget
        self._remaining = remaining
        self._small = 0
        self._large = 0
        self._decoding = 0

    def reserve(self, size: int, most: int) -> None:
        """Reserve memory for a body that grows to ``size`` bytes now, and to at most ``most``. Raises TimeoutError."""
        if self._large or size <= self._small:
            return
        if size <= SMALL:
            # Double it each time, so that a body of many pieces takes the lock a few times only.
            small = max(size + size // 8, min(2 * self._small, SMALL), _STEP)
            if self._budget.small.try_acquire(small - self._small):
                self._small = small
                return
        large = min(most + most // 8, self._budget.large.size)
        self._budget.large.acquire(large, self._remaining)
        self._large = large
        self._release_small()

    def reserve_decoding(self, size: int) -> None:
        """Reserve memory for decoded values of ``size`` bytes. Raises TimeoutError."""
        if self._decoding:
            self._budget.decoding.release(self._decoding)
            self._decoding = 0
        size = min(size, self._budget.decoding.size)
        self._budget.decoding.acquire(size, self._remaining)
        self._decoding = size

    def check_time(self) -> None:
        """Raise TimeoutError once the time is up."""
        if self._remaining() <= 0:
            raise TimeoutError("decoding the response took too long")

    def release(self) -> None:
        """Release everything."""
        if self._small:
            self._release_small()
        if self._large:
            self._budget.large.release(self._large)
            self._large = 0
        if self._decoding:
            self._budget.decoding.release(self._decoding)
            self._decoding = 0

    def _release_small(self) -> None:
        if self._small:
            self._budget.small.release(self._small)
            self._small = 0


class Budget:
    """Three memory pools, and the current reservation of each thread."""

    def __init__(
        self, small: int = TOTAL - DECODING - 2 * LARGE, large: int = 2 * LARGE, decoding: int = DECODING
    ) -> None:
        self.small = MemoryPool(small)
        self.large = MemoryPool(large)
        self.decoding = MemoryPool(decoding)
        self._local = threading.local()

    def begin(self, remaining: Callable[[], float]) -> Reservation:
        """Return a new reservation for the response that this thread is about to read. The caller releases it."""
        reservation = Reservation(self, remaining)
        self._local.reservation = reservation
        return reservation

    @property
    def current(self) -> Reservation:
        """The reservation of this thread, or one on a budget of its own if the thread began none."""
        found: Reservation | None = getattr(self._local, "reservation", None)
        return found if found is not None else Reservation(Budget(), lambda: 1.0)


SHARED: Final = Budget()
"""The budget of the process."""
