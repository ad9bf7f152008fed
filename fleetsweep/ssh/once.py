"""A cache for what hundreds of threads want at the same moment, and what a file in it goes by."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

FileState = tuple[int, int, int]
"""What cached content of a file is kept by: once one of them is another, the file must be read again."""

P = ParamSpec("P")
T = TypeVar("T")


def once(function: Callable[P, T]) -> Callable[P, T]:
    """Keep what ``function`` returned for its last 64 arguments. What it raises is not kept.

    Unlike with lru_cache alone, threads that want the same at once wait for the first one's instead of each making
    it. Arguments must be hashable, and ``function`` must not call itself.
    """
    lock = threading.Lock()
    cached = lru_cache(maxsize=64)(function)

    @wraps(function)
    def one_at_a_time(*args: P.args, **kwargs: P.kwargs) -> T:
        with lock:
            return cached(*args, **kwargs)  # type: ignore[arg-type]  # the one that defines it sees that they hash

    return one_at_a_time


def file_state(found: os.stat_result) -> FileState:
    """The inode, the size in bytes and the time of the last change in nanoseconds."""
    return found.st_ino, found.st_size, found.st_mtime_ns
