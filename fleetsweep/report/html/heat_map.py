"""The heat map: a row a host, a column a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup

from fleetsweep.model.overview import DAY_NS, HostDay, Overview
from fleetsweep.report.html.cells import box, count

MOST_ROWS: Final = 100
"""The most hosts that are shown. Quiet ones are left out first."""

_LETTERS: Final[Mapping[str, tuple[str, str]]] = {
    "failed": ("f", "F"),
    "unreachable": ("u", "U"),
    "guarded": ("g", "G"),
    "interrupted": ("i", "I"),
}
_STEPS: Final = ((30, "s4"), (10, "s3"), (3, "s2"), (1, "s1"), (0, "c"))
_SEVERITY: Final = ("failed", "unreachable", "guarded", "interrupted", "ok")


@dataclass(frozen=True, slots=True)
class Day:
    """A column's header. ``month`` is shown where it changes."""

    iso: str
    month: str
    number: int
    new_month: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A host and its cells, each with a class and its text."""

    host: Markup
    cells: tuple[tuple[str, Markup], ...]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The table. ``more`` counts the hosts that are not in it."""

    days: tuple[Day, ...]
    rows: tuple[Row, ...]
    more: str


def heat_map(fleet: Overview) -> HeatMap:
    """Return the hosts with the worst days first."""
    days = fleet.period.days
    names = sorted(fleet.cells, key=lambda name: (*_order(fleet.cells[name], days), name))
    rest = names[MOST_ROWS:]
    quiet = sum(all(cell.is_quiet for cell in fleet.cells[name].values()) for name in rest)
    more = ""
    if rest:
        more = f"… and {count(len(rest), 'more host')}, of which {quiet} had no stale container and no failure."
    return HeatMap(
        tuple(_days(days)),
        tuple(
            Row(box(name, 40), tuple(_cell(fleet.cells[name].get(day)) for day in days)) for name in names[:MOST_ROWS]
        ),
        more,
    )


def _days(days: range) -> Sequence[Day]:
    dates = [datetime.fromtimestamp(day * DAY_NS // 10**9, UTC) for day in days]
    return [
        Day(f"{date:%Y-%m-%d}", f"{date:%b}", date.day, place == 0 or date.day == 1) for place, date in enumerate(dates)
    ]


def _order(cells: Mapping[int, HostDay], days: range) -> tuple[int, int]:
    """Return what hosts are sorted by: days with trouble, then stale containers, the most first."""
    trouble = sum(cell.status != "ok" for cell in cells.values())
    return -trouble, -sum(cell.stale or 0 for cell in cells.values())


def _cell(cell: HostDay | None) -> tuple[str, Markup]:
    """Return a cell's class and text. The text alone tells the states apart."""
    if cell is None or (cell.status == "ok" and cell.stale is None):
        return "n", Markup("–<i>no data</i>")  # noqa: RUF001
    if cell.status == "ok":
        return next(name for least, name in _STEPS if (cell.stale or 0) >= least), Markup("{}").format(cell.stale)
    name, letter = _LETTERS[cell.status]
    stale = Markup("") if cell.stale is None else Markup(" {}").format(cell.stale)
    return name, Markup("{}<i>: {}</i>{}").format(letter, cell.status, stale)
