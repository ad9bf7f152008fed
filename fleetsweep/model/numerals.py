"""Numbers as people write them: ASCII digits alone.

``int`` and ``float`` also take ``1_0``, Arabic and full-width digits, ``1e3``, ``inf`` and ``nan``. What decides about
removals must mean what its reader sees.
"""

from __future__ import annotations

import re
from typing import Final

MOST_DIGITS: Final = 18

_WHOLE: Final = re.compile(rf"[0-9]{{1,{MOST_DIGITS}}}")
_DECIMAL: Final = re.compile(rf"[0-9]{{1,{MOST_DIGITS}}}(?:\.[0-9]{{1,{MOST_DIGITS}}})?")


def whole(text: str) -> int | None:
    """The number that ``text`` writes in up to 18 digits, blanks around it passed over; None if it is another text."""
    text = text.strip(" \t")
    return int(text) if _WHOLE.fullmatch(text) else None


def decimal(text: str) -> float | None:
    """As ``whole``, with or without a fraction behind a point."""
    text = text.strip(" \t")
    return float(text) if _DECIMAL.fullmatch(text) else None
