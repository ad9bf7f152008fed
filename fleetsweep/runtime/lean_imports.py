"""Import a library without modules that it loads for features which are not used here.

Imports are most of a short run's CPU time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def stand_ins(modules: Mapping[str, ModuleType | None]) -> Iterator[None]:
    """Let imports in the block find these modules in place of the real ones; None makes the import fail.

    A module that is loaded already stays. After the block the real ones can be imported.
    """
    added = {name: module for name, module in modules.items() if name not in sys.modules}
    sys.modules.update(added)  # type: ignore[arg-type]  # typeshed has no None, which the import system defines
    try:
        yield
    finally:
        for name, module in added.items():
            if sys.modules.get(name, module) is module:
                sys.modules.pop(name, None)


def stand_in(name: str, **attributes: object) -> ModuleType:
    """Return a module with these attributes."""
    module = ModuleType(name)
    vars(module).update(attributes)
    return module
