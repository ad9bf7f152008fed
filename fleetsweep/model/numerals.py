"""Parse numbers of ASCII digits only.

``int`` and ``float`` also take ``1_0``, Arabic and full-width digits, ``1e3``, ``inf`` and ``nan``. A number that
decides on removals must mean what its reader sees.
"""

from __future__ import annotations

import re
from typing import Final

MOST_DIGITS: Final = 18

_WHOLE: Final = re.compile(rf"[0-9]{{1,{MOST_DIGITS}}}")
_DECIMAL: Final = re.compile(rf"[0-9]{{1,{MOST_DIGITS}}}(?:\.[0-9]{{1,{MOST_DIGITS}}})?")


def whole(text: str) -> int | None:
    """Return the integer in ``text``, of up to 18 digits with optional blanks around; None if it is not one."""
    text = text.strip(" \t")
    return int(text) if _WHOLE.fullmatch(text) else None


def decimal(text: str) -> float | None:
    """Return the number in ``text``, as ``whole`` does, with an optional fraction after a point."""
    text = text.strip(" \t")
    return float(text) if _DECIMAL.fullmatch(text) else None
