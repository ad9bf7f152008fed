"""When reference cycles are collected in a run over many hosts."""

from __future__ import annotations

import gc
import itertools
from typing import Final

HOSTS: Final = 1000
"""Hosts between two collections. A failed host's errors hold their frames and these the errors, with up to 70 KB of a
connection. The collector's own thresholds let the cycles of thousands of hosts grow old before it looks at them again.
"""


class CycleCollector:
    """Counts hosts, and collects cycles after every HOSTS of them. Thread-safe."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def host_ended(self) -> None:
        """Count a host."""
        if next(self._numbers) % HOSTS == 0:
            gc.collect()
