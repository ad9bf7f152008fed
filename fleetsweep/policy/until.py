"""Parse the time in a keep label's value, ``until:<time>``. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from fleetsweep.model.container import SECOND

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST: Final = datetime(2013, 1, 1, tzinfo=UTC)
_LARGEST_OFFSET: Final = timedelta(hours=14)

_DATE: Final = r"\d{4}-\d\d-\d\d|\d{8}"
_CLOCK: Final = r"\d\d(?::\d\d(?::\d\d(?:[.,]\d{1,9})?)?|\d\d(?:\d\d(?:[.,]\d{1,9})?)?)?"
_OFFSET: Final = r"Z|[+-]\d\d(?::?\d\d)?"
# datetime.fromisoformat takes epoch milliseconds for a date: a job that wrote them lost its protection at once.
_WRITTEN: Final = re.compile(rf"({_DATE})(?:[T ]({_CLOCK}) ?({_OFFSET})?)?", re.ASCII | re.IGNORECASE)


def parse_until(text: str) -> int | None:
    """Return when a protection ends, in nanoseconds since the epoch; None if the text is not a plausible time.

    The text is ISO 8601: a date, which lasts to the end of that day, or a date and a time separated by ``T`` or a
    space. No offset means UTC. An offset beyond 14 hours or not in quarters of an hour exists nowhere on earth, and a
    year before 2013 is a mistake.
    """
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        return None
    date, clock, offset = found.groups()
    try:
        when = datetime.fromisoformat(date if clock is None else f"{date}T{clock}{offset or ''}".upper())
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        ahead = when.utcoffset() or timedelta(0)
        if abs(ahead) > _LARGEST_OFFSET or ahead % timedelta(minutes=15) or when < _EARLIEST:
            return None
        if clock is None:
            when += timedelta(days=1)
    except (ValueError, OverflowError):
        return None
    return (when - _EPOCH) // timedelta(microseconds=1) * (SECOND // 1_000_000)
