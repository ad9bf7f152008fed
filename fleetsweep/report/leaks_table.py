"""What ``fleetsweep history --by`` prints: sums of leaks by image, label, host or group, and by day or week."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fleetsweep.model.journal import JournalSize
from fleetsweep.model.leak_history import LeakHistory
from fleetsweep.policy.leak_stats import MIN_RUNS, By, Grouping, LeakGroup, LeakSums, Per, period_name
from fleetsweep.report.cells import IMAGE_LIMIT, NAME_LIMIT, NOTHING, humanize, iso_utc
from fleetsweep.report.escape import printable, well_formed
from fleetsweep.report.fit import Column, name_column, number_column, table, text_column, wrap
from fleetsweep.report.journal_size import size_line, size_object
from fleetsweep.report.json_report import JsonObject, rounded

SCHEMA: Final = "fleetsweep.leaks/1"

_INDENT: Final = "    "
_HOUR_S: Final = 3_600
_NO_KEY: Final[Mapping[By, str]] = {
    By.IMAGE: "(image not recorded)",
    By.LABEL: "(without this label)",
    By.GROUP: "(in no group)",
}
_NUMBERS: Final = (
    number_column("RUNS", rank=1),
    number_column("LEAKS"),
    number_column("REMOVED"),
    number_column("THERE", rank=3),
    number_column("HOURS", rank=2),
    number_column("MEDIAN"),
    number_column("P95", rank=4),
    number_column("PER RUN", rank=5),
)


@dataclass(frozen=True, slots=True)
class LeakReport:
    """What is printed: the groups of a span of time. ``omitted`` counts the groups beyond the limit.
    ``size`` is printed, too, if it is given."""

    history: LeakHistory
    grouping: Grouping
    per: Per | None
    groups: Sequence[LeakGroup]
    omitted: int = 0
    size: JournalSize | None = None


def render_leaks(report: LeakReport, format: str, width: int | None = None) -> str:
    """Return one row a group, or one a group and period, as ``table`` or ``json``, ending with one newline."""
    if format == "json":
        return json.dumps(_object(report), indent=2, allow_nan=False) + "\n"
    title = report.grouping.label or report.grouping.by.value.upper()
    first = name_column(printable(title, IMAGE_LIMIT))
    period = (Column("WEEK" if report.per is Per.WEEK else "DAY"),) if report.per else ()
    rows = [row for group in report.groups for row in _rows(report, group)]
    lines = table((first, *period, *_NUMBERS, text_column("NOTE")), rows, width)
    notes = [piece for note in _notes(report) for piece in wrap(note, width, _INDENT)]
    return "\n".join([*lines, *(["", *notes] if notes else [])]) + "\n"


def _rows(report: LeakReport, group: LeakGroup) -> Iterator[list[str]]:
    name = _name(report, group.key)
    if report.per is None:
        yield [name, *_cells(report, group.total), _note(report, group)]
        return
    for sums in group.periods:
        note = _note(report, group) if sums is group.periods[-1] else ""
        yield [name, period_name(sums.span, report.per), *_cells(report, sums), note]


def _cells(report: LeakReport, sums: LeakSums) -> list[str]:
    removed = str(sums.removals) if sums.known or sums.removals else NOTHING
    if not sums.known or not report.history.recorded:
        # What no run looked at is not clean.
        return [str(sums.runs), NOTHING, removed, *[NOTHING] * 5]
    rate = sums.leaks_per_run
    return [
        str(sums.runs),
        str(sums.leaks),
        removed,
        str(sums.still_there),
        f"{sums.orphan_s / _HOUR_S:.1f}",
        humanize(sums.median_s),
        humanize(sums.p95_s),
        NOTHING if rate is None else f"{rate:.2f}",
    ]


def _note(report: LeakReport, group: LeakGroup) -> str:
    if not group.total.known:
        return f"no data: {_last_look(report, group.key)}"
    return "new" if group.new else ""


def _last_look(report: LeakReport, key: str | None) -> str:
    if report.grouping.by is not By.HOST or key is None:
        return "no run surveyed a host of it"
    seen_ns = report.history.last_looks.get(key)
    return "no run ever surveyed it" if seen_ns is None else f"last surveyed {iso_utc(seen_ns)}"


def _notes(report: LeakReport) -> Iterator[str]:
    history = report.history
    if report.omitted:
        yield f"{report.omitted} more: -n shows more"
    if not history.recorded:
        yield "This journal has no leaks yet: the next run records them."
    elif report.grouping.by is By.LABEL and not any(report.grouping.label in leak.attributes for leak in history.leaks):
        yield f"No recorded leak has the label {printable(report.grouping.label)}: runs keep those of --attribute."
    unseen = [host for host in history.hosts if host not in {look.host for look in history.looks}]
    # Their rows come last, so that a limit omits them first.
    if unseen and (report.omitted or report.grouping.by is not By.HOST):
        names = ", ".join(printable(host, NAME_LIMIT) for host in unseen[:10]) + (", ..." if len(unseen) > 10 else "")
        yield f"No data of {len(unseen)} of {len(history.hosts)} hosts, which no run surveyed in this time: {names}"
    if report.size:
        yield size_line(report.size)


def _name(report: LeakReport, key: str | None) -> str:
    if key is None:
        return _NO_KEY.get(report.grouping.by, NOTHING)
    return "all hosts" if report.grouping.by is By.FLEET else printable(key, IMAGE_LIMIT)


def _object(report: LeakReport) -> JsonObject:
    history = report.history
    return {
        "schema": SCHEMA,
        "by": report.grouping.by.value,
        "label": well_formed(report.grouping.label) or None,
        "per": report.per.value if report.per else None,
        "since": iso_utc(history.since_ns),
        "until": iso_utc(history.until_ns),
        "recorded": history.recorded,
        "runs": len({look.run for look in history.looks}),
        "min_runs": MIN_RUNS,
        "groups": [_group_object(report, group) for group in report.groups],
        "omitted": report.omitted,
        **({"journal": size_object(report.size)} if report.size else {}),
        "hosts": [
            {"host": well_formed(host), "last_surveyed_at": None if seen_ns is None else iso_utc(seen_ns)}
            for host in history.hosts
            for seen_ns in [history.last_looks.get(host)]
        ],
    }


def _group_object(report: LeakReport, group: LeakGroup) -> JsonObject:
    return {
        "key": None if group.key is None else well_formed(group.key),
        "new": group.new,
        **_sums_object(report, group.total),
        "periods": [
            {
                "period": period_name(sums.span, report.per),
                "since": iso_utc(sums.span.since_ns),
                "until": iso_utc(sums.span.until_ns),
                **_sums_object(report, sums),
            }
            for sums in group.periods
            if report.per is not None
        ],
    }


def _sums_object(report: LeakReport, sums: LeakSums) -> JsonObject:
    known = sums.known and report.history.recorded
    rate = sums.leaks_per_run
    return {
        "runs": sums.runs,
        "leaks": sums.leaks if known else None,
        "removals": sums.removals if sums.known or sums.removals else None,
        "still_there": sums.still_there if known else None,
        "orphan_hours": rounded(sums.orphan_s / _HOUR_S, 3) if known else None,
        "median_hours": _hours(sums.median_s) if known else None,
        "p95_hours": _hours(sums.p95_s) if known else None,
        "leaks_per_run": None if rate is None or not known else rounded(rate, 3),
    }


def _hours(seconds: float | None) -> float | None:
    return None if seconds is None else rounded(seconds / _HOUR_S, 3)
