"""Limits on the size of a template's result and on its rendering time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

SIZE_LIMIT: Final = 65_536
"""The size of a template's result, in characters and items."""

HOST_LIMIT_S: Final = 5.0
"""Seconds for all templates of one host. Normally they take a millisecond."""

INVENTORY_LIMIT_S: Final = 120.0
"""Seconds for the templates of all hosts together: hundreds of hosts may each stay just below their own limit."""

_running: ContextVar[RenderTime | None] = ContextVar("_running", default=None)


class OutOfTimeError(ValueError):
    """The time budget of templates is spent."""


class RenderTime:
    """A time budget for templates, in seconds.

    Time counts while a ``with`` block of the budget runs. Blocks of one budget nest; those of two must not.
    """

    __slots__ = ("_began", "_depth", "_ends", "_left", "_seconds", "_whose", "_within")

    def __init__(self, seconds: float, whose: str, within: RenderTime | None = None) -> None:
        """``whose`` names in messages the templates that share the budget. Its time also counts for ``within``."""
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
        """Raise OutOfTimeError if the budget is spent."""
        if time.monotonic() > self._ends:
            exhausted = self if self._within is None or self._left <= self._within._left else self._within
            raise OutOfTimeError(f"{exhausted._whose} took more than {exhausted._seconds:g} s")


def tick() -> None:
    """Raise OutOfTimeError if the budget of the running templates is spent. Called at each step of a template."""
    running = _running.get()
    if running is not None:
        running.check()


class Lazy:
    """A container that renders an item when it is taken out; the item's size is checked then."""


def bounded(value: object) -> object:
    """Return the value if it is no larger than SIZE_LIMIT. Raises ValueError.

    A part that occurs several times counts each time, as it would when printed.
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
            raise ValueError(f"a template made more than {SIZE_LIMIT} characters and items")
    return value
