"""How much a template may make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SIZE_LIMIT: Final = 65_536
"""What a template may make, in characters and items."""


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
