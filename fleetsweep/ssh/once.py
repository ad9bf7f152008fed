"""A cache for what hundreds of threads want at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

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
