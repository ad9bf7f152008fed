"""Loads invoke, which paramiko and fabric import, without what it loads for tests and task files.

unittest.mock loads asyncio, and invoke has a copy of PyYAML: together a tenth of a short run's CPU time.
"""

from __future__ import annotations

import yaml

from fleetsweep.runtime.lean_imports import stand_in, stand_ins


def _mock(*arguments: object, **attributes: object) -> object:
    """Return a real Mock, for a program that uses invoke's MockContext."""
    from unittest.mock import Mock

    return Mock(*arguments, **attributes)


with stand_ins({"unittest.mock": stand_in("unittest.mock", Mock=_mock), "invoke.vendor.yaml": yaml}):
    import invoke

__all__ = ["invoke"]
