"""A thread-safe single-flight cache, and the state of a file as a cache key."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

FileState = tuple[int, int, int]
"""Inode, size and modification time: cached content is stale once one of them changes."""

CACHE_SIZE: Final = 64

P = ParamSpec("P")
T = TypeVar("T")


def single_flight(function: Callable[P, T]) -> Callable[P, T]:
    """Cache the results of ``function`` for its last 64 arguments, which must be hashable. Errors are not cached.

    Unlike lru_cache, concurrent calls with the same arguments wait for the first one instead of each calling
    ``function``. Calls with other arguments do not wait: a file on a dead mount holds up only the hosts that name it.
    """
    guard = threading.Lock()
    kept: OrderedDict[Hashable, T] = OrderedDict()
    in_flight: dict[Hashable, threading.Lock] = {}

    @wraps(function)
    def cached(*args: P.args, **kwargs: P.kwargs) -> T:
        key = (args, tuple(sorted(kwargs.items())))
        with guard:
            if key in kept:
                kept.move_to_end(key)
                return kept[key]
            flight = in_flight.setdefault(key, threading.Lock())
        with flight:
            with guard:
                if key in kept:
                    return kept[key]
            try:
                result = function(*args, **kwargs)
                with guard:
                    kept[key] = result
                    while len(kept) > CACHE_SIZE:
                        kept.popitem(last=False)
                return result
            finally:
                with guard:
                    in_flight.pop(key, None)

    return cached


def file_state(found: os.stat_result) -> FileState:
    """Return the inode, the size in bytes and the modification time in nanoseconds."""
    return found.st_ino, found.st_size, found.st_mtime_ns
