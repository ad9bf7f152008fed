"""Settings of the interpreter for a process that works on hundreds of hosts at once."""

from __future__ import annotations

import gc
import sys
from typing import Final

OBJECTS: Final = 100_000
"""New objects between two collections of reference cycles."""

SWITCH_S: Final = 0.02
"""Seconds after which a thread that waits for the interpreter asks the running one for it, and again so often."""


def tune() -> None:
    """Look for reference cycles less often, and wake up waiting threads less often."""
    # Cycles are few, and a run loads 50,000 objects: collecting at the default threshold takes 5% of it.
    gc.set_threshold(OBJECTS)
    # A host's steps take less than a millisecond each. At Python's 5 ms, a hundred waiting threads wake up for nothing.
    sys.setswitchinterval(SWITCH_S)
