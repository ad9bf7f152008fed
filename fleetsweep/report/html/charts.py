"""Bar charts as coordinates for inline SVG: one bar a day, and a hatched gap where nothing is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Final

from fleetsweep.model.overview import DAY_NS
from fleetsweep.report.cells import humanize

WIDTH: Final = 360
HEIGHT: Final = 170
_LEFT: Final = 38
_TOP: Final = 10
_BOTTOM: Final = 22
_FLOOR: Final = HEIGHT - _BOTTOM

_HOUR: Final = 3_600
_DURATIONS: Final = (600, *(hours * _HOUR for hours in (1, 2, 4, 8, 12, 24, 48, 96, 192, 336, 720, 1440, 2400)))


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, and what it shows. ``known`` is False for a day without data."""

    x: float
    y: float
    width: float
    height: float
    title: str
    known: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """A label of an axis and its place on it."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A bar chart. ``name`` is the beginning of its ids; ``summary`` describes it for those who don't see it."""

    name: str
    title: str
    summary: str
    bars: tuple[Bar, ...]
    levels: tuple[Mark, ...]
    dates: tuple[Mark, ...]
    left: int = _LEFT
    width: int = WIDTH
    height: int = HEIGHT


def date(day: int) -> str:
    """Return a day, counted from the epoch, as ``2026-06-15``."""
    return datetime.fromtimestamp(day * DAY_NS // 10**9, UTC).strftime("%Y-%m-%d")


def bar_chart(
    name: str, title: str, days: Sequence[int], values: Sequence[int | None], *, seconds: bool = False
) -> Chart:
    """Return the chart of one value a day; ``seconds`` marks durations."""
    known = [(value, day) for day, value in zip(days, values, strict=True) if value is not None]
    text: Callable[[int], str] = humanize if seconds else str
    top = _top(max((value for value, _ in known), default=0), seconds=seconds)
    step = (WIDTH - _LEFT) / max(1, len(days))
    bars = []
    for place, (day, value) in enumerate(zip(days, values, strict=True)):
        height = _FLOOR - _TOP if value is None else value / top * (_FLOOR - _TOP)
        shown = "no data" if value is None else text(value)
        x, width = round(_LEFT + place * step, 1), round(max(step - 1.5, 1), 1)
        y, height = round(_FLOOR - height, 1), round(height, 1)
        bars.append(Bar(x, y, width, height, f"{date(day)}: {shown}", value is not None))
    middle = len(days) // 2
    places = dict.fromkeys((0, middle, len(days) - 1)) if len(days) > 2 else range(len(days))
    return Chart(
        name,
        title,
        _summary(known, len(days), text),
        tuple(bars),
        tuple(Mark(round(_FLOOR - part * (_FLOOR - _TOP), 1), text(int(top * part))) for part in (0, 0.5, 1)),
        tuple(Mark(round(_LEFT + (place + 0.5) * step, 1), date(days[place])[5:]) for place in places),
    )


def _summary(known: Sequence[tuple[int, int]], days: int, text: Callable[[int], str]) -> str:
    if not known:
        return f"No data on any of {days} days."
    least, most, last = min(known), max(known), known[-1]
    gaps = f" No data on {days - len(known)} of {days} days." if days > len(known) else ""
    return (
        f"Between {text(least[0])} and {text(most[0])}, the most on {date(most[1])}; "
        f"{text(last[0])} on {date(last[1])}.{gaps}"
    )


def _top(value: int, *, seconds: bool) -> int:
    """Return the number at the top of an axis: round, as is its half."""
    if not seconds:
        return next(top for zeros in count() for first in (2, 4, 10) if (top := int(f"{first}{'0' * zeros}")) >= value)
    return next((duration for duration in _DURATIONS if duration >= value), value)
