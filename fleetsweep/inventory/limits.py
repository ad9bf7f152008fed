"""How much a template may make, and how long it may take."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

SIZE_LIMIT: Final = 65_536
"""What a template may make, in characters and items."""


HOST_LIMIT_S: Final = 5.0
"""Seconds for all templates of one host. They take a millisecond."""

INVENTORY_LIMIT_S: Final = 120.0
"""The same for all hosts together: each of hundreds may take a little less than it may."""

_running: ContextVar[RenderTime | None] = ContextVar("_running", default=None)


class RenderTime:
    """Seconds that templates may take.

    It is spent while a ``with`` block of it runs. Its blocks may lie in each other; those of two may not.
    """

    __slots__ = ("_began", "_depth", "_ends", "_left", "_seconds", "_whose", "_within")

    def __init__(self, seconds: float, whose: str, within: RenderTime | None = None) -> None:
        """``whose`` says in messages which templates share it. What is spent counts for ``within``, too."""
        self._left = self._seconds = seconds
        self._whose = whose
        self._within = within
        self._depth = 0
        self._began = self._ends = 0.0

    def __enter__(self) -> None:
        self._depth += 1
        if self._depth == 1:
            self._began = time.monotonic()
            self._ends = self._began + (self._left if self._within is None else min(self._left, self._within._left))
            _running.set(self)

    def __exit__(self, *error: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            _running.set(None)
            spent = time.monotonic() - self._began
            self._left -= spent
            if self._within is not None:
                self._within._left -= spent

    def check(self) -> None:
        """Raise ValueError where the time is over."""
        if time.monotonic() > self._ends:
            scarce = self if self._within is None or self._left <= self._within._left else self._within
            raise ValueError(f"{scarce._whose} took more than {scarce._seconds:g} s")


def tick() -> None:
    """Raise ValueError where the templates that run have had their time. Called at each step of one."""
    running = _running.get()
    if running is not None:
        running.check()


class Lazy:
    """A container that makes what is taken out of it, and no sooner: that is weighed then."""


def bounded(value: object) -> object:
    """The value, if it is no larger than SIZE_LIMIT. Raises ValueError.

    What stands in it several times counts each time: printing it would.
    """
    room = SIZE_LIMIT
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, Lazy):
            continue
        if isinstance(item, str):
            room -= len(item)
        elif isinstance(item, Mapping):
            room -= len(item)
            todo.extend(item.values() if room >= 0 else ())
        elif isinstance(item, list | tuple | set | frozenset):
            room -= len(item)
            todo.extend(item if room >= 0 else ())
        elif isinstance(item, int):
            room -= item.bit_length() // 3
        room -= 1
        if room < 0:
            raise ValueError("a template made more than it may")
    return value
