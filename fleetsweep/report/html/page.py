"""The page: the tables of an overview, filled into the template. Pure, apart from reading the template."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from fleetsweep import exit_codes
from fleetsweep.model.container import SECOND
from fleetsweep.model.overview import DAY_NS, FleetDay, Leakers, Overview, Period, RemovalRow, RunRow
from fleetsweep.report.cells import fine_seconds, humanize
from fleetsweep.report.escape import printable
from fleetsweep.report.html.act_now import items, not_seen
from fleetsweep.report.html.cells import (
    UNKNOWN,
    Table,
    ago,
    box,
    count,
    cut,
    host_rows,
    image,
    message,
    more,
    number,
    when,
)
from fleetsweep.report.html.charts import bar_chart, date
from fleetsweep.report.html.heat_map import heat_map

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_ROWS: Final = 200
"""Hosts of the last run that are shown, and hosts not seen. Quiet ones are left out first."""

_DONE: Final = ("removed", "gone")
_ORDER: Final = ("removed", "gone", "changed", "failed", "still-there", "unknown", "open")


@dataclass(frozen=True, slots=True)
class Tile:
    """A number at the top of the page. ``bad`` marks one to act on."""

    label: str
    value: str
    detail: str
    bad: bool = False


def render_page(fleet: Overview, *, version: str) -> str:
    """Return the page as HTML, ending with one newline. ``version`` is this program's."""
    environment = _environment()
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    days = [day.day for day in fleet.days]
    return environment.get_template("page.html.j2").render(
        version=version,
        style=Markup(style),  # noqa: S704 - our own file
        digest=digest,
        made=when(fleet.period.now_ns),
        first=date(fleet.period.first_day),
        last=date(fleet.period.last_day),
        runs=_runs(fleet.period),
        known=fleet.period.runs > 0,
        todo=items(fleet),
        calm=_calm(fleet),
        tiles=_tiles(fleet),
        heat=heat_map(fleet),
        leakers=[
            _leakers("By image", "Image", fleet.by_image),
            _leakers("By label", "Label", fleet.by_attribute),
            _leakers("By host", "Host", fleet.by_host),
        ],
        charts=[
            bar_chart("stale", "Stale containers a day", days, [day.stale for day in fleet.days]),
            bar_chart("oldest", "Oldest orphan a day", days, [day.oldest_s for day in fleet.days], seconds=True),
        ],
        numbers=_numbers(fleet),
        outcomes=_outcomes(fleet),
        guards=_guards(fleet),
        removals=_removals("The newest removals", fleet.removals, len(fleet.removals)),
        silent=_silent(fleet),
        run=fleet.last_run,
        run_note=_run_note(fleet),
        run_rows=_run_rows(fleet),
        run_removals=_run_removals(fleet),
    )


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("fleetsweep.report.html", package_path=""),
        autoescape=True,
        finalize=_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _printable(value: object) -> object:
    """Escape what a browser hides or reorders, also in text that no cell was made of."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else printable(value)


@cache
def _style() -> str:
    from importlib.resources import files

    return files("fleetsweep.report.html").joinpath("style.css").read_text("utf-8")


def _runs(period: Period) -> str:
    if not period.runs:
        return "No run is recorded in these days."
    bad = f"of which {period.nonzero} ended with an exit code that is neither 0 nor 6, and {period.unended} did not end"
    return f"{count(period.runs, 'run')}, {bad}."


def _tiles(fleet: Overview) -> list[Tile]:
    now_ns, last = fleet.period.now_ns, fleet.last_run
    ok = sum(host.status == "ok" for host in fleet.hosts)
    left = sum(leaks.count for leaks in fleet.leaks)
    oldest_ns = min((leaks.stale_since_ns for leaks in fleet.leaks), default=None)
    known = any(host.surveyed_ns is not None for host in fleet.hosts)
    oldest = "" if oldest_ns is None else f"the oldest for {humanize(max(0, now_ns - oldest_ns) // SECOND)}"
    tiles = [
        Tile(
            "Last run",
            "none" if last is None else ago(last.finished_ns, now_ns),
            _exit(fleet),
            last is None or last.exit_code != exit_codes.OK,
        ),
        Tile(
            "Hosts ok",
            f"{ok} of {len(fleet.hosts)}" if fleet.hosts else "no data",
            "in the last run of each",
            ok < len(fleet.hosts) or not fleet.hosts,
        ),
        Tile("Stale, not removed", str(left) if known else "no data", oldest, left > 0 or not known),
    ]
    removed = fleet.outcomes.get("removed", 0)
    return [*tiles, Tile("Removed", str(removed), f"in {count(len(fleet.period.days), 'day')}")]


def _exit(fleet: Overview) -> str:
    last = fleet.last_run
    return "" if last is None else f"exit code {last.exit_code}: {exit_codes.meaning(last.exit_code)}"


def _calm(fleet: Overview) -> str:
    """Return what is shown where there is nothing to act on."""
    hosts = count(len(fleet.hosts), "host")
    return f"Nothing to act on: the last run of each of {hosts} was ok, and left no stale container."


def _leakers(caption: str, column: str, leakers: Leakers) -> Table:
    rows = [
        (
            image(each.what) if column != "Host" else box(each.what),
            number(each.leaks),
            number(each.left),
            *(() if column == "Host" else (number(each.hosts),)),
            f"{each.orphan_s // 3600} h",
            Markup("<time>{}</time>{}").format(
                date(each.first_seen_ns // DAY_NS),
                Markup(' <b class="new">new</b>') if each.new else "",
            ),
        )
        for each in leakers.top
    ]
    rest = leakers.total - len(leakers.top)
    columns = (column, "Leaks", "Still there", *(() if column == "Host" else ("Hosts",)), "Orphan-hours", "First seen")
    return Table(caption, columns, rows, frozenset(range(1, len(columns) - 1)), f"… and {rest} more" if rest else "")


def _numbers(fleet: Overview) -> Table:
    columns = (
        "Day", "Runs", "Hosts surveyed", "Not surveyed", "Stale", "Oldest", "New leaks", "Removed", "Not removed",
        "Guarded",
    )  # fmt: skip
    rows = [_day(day) for day in reversed(fleet.days)]
    return Table("Day by day, the newest first", columns, rows, frozenset(range(1, len(columns))))


def _day(day: FleetDay) -> tuple[str, ...]:
    if day.runs == 0 and not day.outcomes:
        return (date(day.day), "0", *["no data"] * 4, *[UNKNOWN] * 4)
    removed = sum(day.outcomes.get(word, 0) for word in _DONE)
    return (
        date(day.day),
        number(day.runs),
        number(day.surveyed),
        number(day.missed),
        "no data" if day.stale is None else number(day.stale),
        "no data" if day.stale is None else humanize(day.oldest_s),
        number(day.leaks),
        number(removed),
        number(sum(day.outcomes.values()) - removed),
        number(day.guards),
    )


def _outcomes(fleet: Overview) -> Table:
    words = [*_ORDER, *sorted(set(fleet.outcomes) - set(_ORDER))]
    rows = [(word, number(fleet.outcomes[word])) for word in words if fleet.outcomes.get(word)]
    return Table("Removals by outcome", ("Outcome", "Containers"), rows, frozenset({1}))


def _guards(fleet: Overview) -> Table:
    rows = [(each.name, number(each.rows), number(each.hosts), when(each.last_ns)) for each in fleet.guards]
    return Table("Refusals by guard", ("Guard", "Times", "Hosts", "Last"), rows, frozenset({1, 2}))


def _removals(caption: str, removals: tuple[RemovalRow, ...], most: int) -> Table:
    rows = [
        (
            box(each.name),
            box(each.host),
            image(each.image),
            each.reason or UNKNOWN,
            humanize(each.age_s) if each.age_s is not None else UNKNOWN,
            each.outcome,
            when(each.at_ns),
            message(each.error),
        )
        for each in removals
    ]
    shown, left = cut(rows, most, "removal")
    columns = ("Name", "Host", "Image", "Reason", "Age", "Outcome", "When", "Error")
    return Table(caption, columns, shown, frozenset({4}), left)


def _silent(fleet: Overview) -> Table:
    shown, rest = host_rows(
        not_seen(fleet),
        lambda host: (when(host.surveyed_ns, "never"), when(host.asked_ns), host.status, message(host.error)),
        MOST_ROWS,
    )
    columns = ("Host", "Last surveyed", "Last selected", "Status then", "Error")
    return Table("Hosts not surveyed for more than 36 hours", columns, shown, more=more(rest, "host"))


def _run_note(fleet: Overview) -> str:
    last = fleet.last_run
    if last is None:
        return ""
    took = fine_seconds((last.finished_ns - last.started_ns) / SECOND)
    return f"{last.command}{' --dry-run' if last.dry_run else ''}, took {took}, {_exit(fleet)}"


def _run_rows(fleet: Overview) -> Table:
    rows = sorted(fleet.last_run.rows if fleet.last_run else (), key=_urgency)
    urgent = rows if len(rows) <= MOST_ROWS else [row for row in rows if _urgency(row)[0] < 2]
    shown, rest = host_rows(urgent, _run_row, MOST_ROWS)
    quiet = len(rows) - len(urgent)
    left = f"{more(rest + quiet, 'host')}, of which {quiet} are ok without a stale container" if rest + quiet else ""
    columns = ("Host", "Status", "Containers", "Matched", "Stale", "Removed", "Oldest", "Time", "Note")
    return Table("Hosts of the last run", columns, shown, frozenset(range(2, 8)), left)


def _urgency(row: RunRow) -> tuple[int, int, str]:
    return (0 if row.status != "ok" else 1 if row.stale else 2), -(row.stale or 0), row.name


def _run_row(row: RunRow) -> tuple[str, ...]:
    note = message(row.error)
    return (
        row.status,
        number(row.containers),
        number(row.matched),
        number(row.stale),
        number(row.removed),
        UNKNOWN if row.oldest_s is None else humanize(row.oldest_s),
        fine_seconds(row.duration_s),
        Markup("{}: {}").format(box(row.guard), note) if row.guard else note,
    )


def _run_removals(fleet: Overview) -> Table:
    return _removals("Removals of the last run", fleet.last_run.removals if fleet.last_run else (), MOST_ROWS)
