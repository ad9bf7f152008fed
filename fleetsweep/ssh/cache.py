"""A cache for what hundreds of threads want at the same moment, and what a file in it goes by."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

FileState = tuple[int, int, int]
"""What cached content of a file is kept by: once one of them is another, the file must be read again."""

KEPT: Final = 64

P = ParamSpec("P")
T = TypeVar("T")


def single_flight(function: Callable[P, T]) -> Callable[P, T]:
    """Keep what ``function`` returned for its last 64 arguments. What it raises is not kept.

    Unlike with lru_cache, threads that want the same at once wait for the first one's instead of each making it. Those
    that want something else don't wait: a file on a mount that is dead must hold up those hosts alone that name it.
    Arguments must be hashable.
    """
    guard = threading.Lock()
    kept: OrderedDict[Hashable, T] = OrderedDict()
    under_way: dict[Hashable, threading.Lock] = {}

    @wraps(function)
    def one_at_a_time(*args: P.args, **kwargs: P.kwargs) -> T:
        key = (args, tuple(sorted(kwargs.items())))
        with guard:
            if key in kept:
                kept.move_to_end(key)
                return kept[key]
            turn = under_way.setdefault(key, threading.Lock())
        with turn:
            with guard:
                if key in kept:
                    return kept[key]
            try:
                made = function(*args, **kwargs)
                with guard:
                    kept[key] = made
                    while len(kept) > KEPT:
                        kept.popitem(last=False)
                return made
            finally:
                with guard:
                    under_way.pop(key, None)

    return one_at_a_time


def file_state(found: os.stat_result) -> FileState:
    """The inode, the size in bytes and the time of the last change in nanoseconds."""
    return found.st_ino, found.st_size, found.st_mtime_ns
