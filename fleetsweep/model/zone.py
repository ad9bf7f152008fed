"""The name of a zone: a network whose boxes only its own workers reach."""

from __future__ import annotations

import re
from typing import Final

_ZONE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", re.ASCII)


def check_zone(text: str) -> str:
    """Return the name if a Dask resource, an inventory and a unit's name can hold it. Raises ValueError."""
    if not _ZONE.fullmatch(text):
        raise ValueError(f"{text[:100]!r} is not a zone: write at most 63 letters, digits, - and _")
    return text
