"""Queries for the HTML page: the whole of a period, read from one consistent state. Writes nothing to the journal."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

from fleetsweep.model.overview import (
    DAY_NS,
    FleetDay,
    GuardCount,
    HostDay,
    HostNow,
    LastRun,
    Leaker,
    Leakers,
    LeaksNow,
    Overview,
    Period,
    RemovalRow,
    RunRow,
    UnendedRun,
)
from fleetsweep.store.journal.database import journal_file, reading
from fleetsweep.store.journal.migrations import VERSION, migrate, schema_version

MOST_DAYS: Final = 92
"""The most days that are shown."""

LEAKERS: Final = 10
"""The greatest leakers of each sort."""

REMOVALS: Final = 50
"""The newest removals."""

RUN_REMOVALS: Final = 200
"""Removals of the last run."""

_CELL_TEXT: Final = 1_000
"""Characters that are read of one text. The page shows fewer."""

# Under the identity guard the containers are another host's.
_KNOWN: Final = "surveyed AND guard IS NOT 'identity'"

_STATUSES: Final = ("ok", "interrupted", "guarded", "unreachable", "failed")
"""From the best to the worst."""

_WHENS: Final = " ".join(f"WHEN '{word}' THEN {rank}" for rank, word in enumerate(_STATUSES))

# A run that did not end has the rows of some of its hosts: only the run itself is shown.
_CELLS: Final = f"""
SELECT host.name, run.started_ns / {DAY_NS}, max(CASE status {_WHENS} ELSE 4 END),
    max(CASE WHEN {_KNOWN} THEN stale END), max(CASE WHEN {_KNOWN} THEN oldest_s END),
    sum(guard IS NOT NULL OR status = 'guarded')
FROM run JOIN host ON host.run = run.id
WHERE run.started_ns BETWEEN ? AND ? AND run.exit_code IS NOT NULL GROUP BY 1, 2
"""  # noqa: S608 - constants
_STARTS: Final = """
SELECT started_ns, exit_code IS NULL, coalesce(exit_code NOT IN (0, 6), 0) FROM run WHERE started_ns BETWEEN ? AND ?
ORDER BY started_ns
"""
_NEW_LEAKS: Final = f"""
SELECT first_seen_ns / {DAY_NS}, count(*) FROM leak WHERE first_seen_ns BETWEEN ? AND ? GROUP BY 1
"""  # noqa: S608
# Volumes and networks have the ids of Resource.id, with a colon.
_OUTCOMES: Final = f"""
SELECT at_ns / {DAY_NS}, coalesce(settled, outcome, 'open'), count(*) FROM intent
WHERE at_ns BETWEEN ? AND ? AND instr(container_id, ':') = 0 GROUP BY 1, 2
"""  # noqa: S608
_NEWEST_ROWS: Final = f"""
SELECT host.name, max(run.started_ns), status, guard, phase, kind, substr(error, 1, {_CELL_TEXT}), run.id, endpoint
FROM run JOIN host ON host.run = run.id
WHERE run.started_ns <= ? AND run.exit_code IS NOT NULL GROUP BY host.name
"""  # noqa: S608
_SURVEYED: Final = """
SELECT host.name, max(run.started_ns) FROM run JOIN host ON host.run = run.id
WHERE run.started_ns <= ? AND run.exit_code IS NOT NULL AND surveyed GROUP BY host.name
"""
_LEFT: Final = """
SELECT host, min(stale_since_ns), name, image FROM leak WHERE ended_ns IS NULL GROUP BY host
"""
_LEFT_COUNTS: Final = """
SELECT host, count(*), max(sweeps), max(last_seen_ns) FROM leak WHERE ended_ns IS NULL GROUP BY host
"""
_LEAKERS: Final = """
SELECT {what}, sum(first_seen_ns >= :since) AS leaks, sum(ended_ns IS NULL),
    count(DISTINCT CASE WHEN ended_ns IS NULL OR ended_ns >= :since THEN host END) AS hosts,
    sum(max(0, min(coalesce(ended_ns, :now), :now) - max(stale_since_ns, :since))) / 1000000000 AS orphan_s,
    min(first_seen_ns), min(first_seen_ns) >= :since AND (SELECT min(started_ns) FROM run) < :since
FROM {source} WHERE first_seen_ns <= :now GROUP BY 1 HAVING hosts ORDER BY leaks DESC, orphan_s DESC, 1
"""
_GUARDS: Final = """
SELECT coalesce(guard, 'guarded'), count(*), count(DISTINCT host.name), max(run.started_ns)
FROM run JOIN host ON host.run = run.id
WHERE run.started_ns BETWEEN ? AND ? AND run.exit_code IS NOT NULL AND (guard IS NOT NULL OR status = 'guarded')
GROUP BY 1 ORDER BY 2 DESC, 1
"""
_REMOVALS: Final = f"""
SELECT at_ns, run, host, container_id, substr(name, 1, {_CELL_TEXT}), image, reason, age_s,
    coalesce(settled, outcome, 'open'), error FROM intent
"""  # noqa: S608
_NEWEST_RUN: Final = "SELECT id, started_ns, exit_code FROM run WHERE started_ns <= ? ORDER BY started_ns DESC LIMIT 1"
_LAST_RUN: Final = """
SELECT id, command, dry_run, started_ns, finished_ns, exit_code FROM run
WHERE started_ns <= ? AND exit_code IS NOT NULL
ORDER BY command IN ('audit', 'sweep') DESC, started_ns DESC LIMIT 1
"""
_ROWS: Final = f"""
SELECT name, status, skew_s IS NOT NULL AND guard IS NOT 'identity', containers, matched, stale, removed, oldest_s,
    duration_s, guard, substr(error, 1, {_CELL_TEXT}), endpoint FROM host WHERE run = ? ORDER BY name
"""  # noqa: S608
_HEAD: Final = "SELECT document FROM report_part WHERE run = ? AND part = 0"


def overview(state_dir: Path, since_ns: int, now_ns: int) -> Overview:
    """Return the runs from ``since_ns`` to ``now_ns``, and how the fleet is now. Raises UsageError without a journal.

    The period has whole days. It begins at most MOST_DAYS ago, and not before the first run that is kept.
    """
    with reading(state_dir) as found, _current(found, journal_file(state_dir)) as journal:
        (first_ns,) = journal.execute("SELECT min(started_ns) FROM run WHERE started_ns <= ?", (now_ns,)).fetchone()
        last_day = now_ns // DAY_NS
        first_day = max(since_ns, now_ns if first_ns is None else first_ns) // DAY_NS
        first_day = max(first_day, last_day - MOST_DAYS + 1)
        span = (first_day * DAY_NS, now_ns)
        starts = journal.execute(_STARTS, span).fetchall()
        cells: dict[str, dict[int, HostDay]] = {}
        for name, day, rank, *rest in journal.execute(_CELLS, span):
            cells.setdefault(name, {})[day] = HostDay(_STATUSES[rank], *rest)
        return Overview(
            period=_period(first_day, last_day, now_ns, starts),
            cells=cells,
            days=tuple(_days(journal, span, range(first_day, last_day + 1), starts, cells)),
            hosts=_hosts(journal, now_ns),
            leaks=_leaks(journal),
            open_intents=_removals(journal, "WHERE id IN (SELECT id FROM open_intent) ORDER BY id"),
            by_image=_leakers(journal, "image", "leak", span),
            by_attribute=_leakers(journal, "each.key || '=' || each.value", _EACH_ATTRIBUTE, span),
            by_host=_leakers(journal, "host", "leak", span),
            guards=tuple(GuardCount(*row) for row in journal.execute(_GUARDS, span)),
            outcomes=_by_outcome(journal, span),
            removals=_removals(journal, "WHERE at_ns BETWEEN ? AND ? ORDER BY id DESC LIMIT ?", *span, REMOVALS),
            last_run=_last_run(journal, now_ns),
            unended=_unended(journal, now_ns),
        )


_EACH_ATTRIBUTE: Final = "leak, json_each(leak.attributes) AS each"


@contextmanager
def _current(journal: sqlite3.Connection, path: Path) -> Iterator[sqlite3.Connection]:
    """Yield the journal, or a copy in memory with the present schema: a reader does not migrate the file."""
    if schema_version(journal, path) == VERSION:
        yield journal
        return
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
        journal.backup(copy)
        migrate(copy, path)
        yield copy


def _period(first_day: int, last_day: int, now_ns: int, starts: list[tuple[int, int, int]]) -> Period:
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(starts)]
    return Period(
        first_day,
        last_day,
        now_ns,
        runs=len(starts),
        unended=sum(unended for _, unended, _ in starts),
        nonzero=sum(nonzero for _, _, nonzero in starts),
        interval_ns=int(median(gaps)) if len(gaps) >= 3 else None,
    )


def _days(
    journal: sqlite3.Connection,
    span: tuple[int, int],
    days: range,
    starts: list[tuple[int, int, int]],
    cells: Mapping[str, Mapping[int, HostDay]],
) -> Iterator[FleetDay]:
    leaks = dict(journal.execute(_NEW_LEAKS, span).fetchall())
    outcomes: dict[int, dict[str, int]] = {}
    for day, outcome, count in journal.execute(_OUTCOMES, span):
        outcomes.setdefault(day, {})[outcome] = count
    for day in days:
        found = [cell for by_day in cells.values() if (cell := by_day.get(day)) is not None]
        stale = [cell.stale for cell in found if cell.stale is not None]
        yield FleetDay(
            day,
            runs=sum(started_ns // DAY_NS == day for started_ns, _, _ in starts),
            surveyed=len(stale),
            missed=len(found) - len(stale),
            stale=sum(stale) if stale else None,
            oldest_s=max((cell.oldest_s for cell in found if cell.oldest_s is not None), default=None),
            leaks=leaks.get(day, 0),
            guards=sum(cell.guards for cell in found),
            outcomes=outcomes.get(day, {}),
        )


def _hosts(journal: sqlite3.Connection, now_ns: int) -> tuple[HostNow, ...]:
    surveyed = dict(journal.execute(_SURVEYED, (now_ns,)).fetchall())
    rows = journal.execute(_NEWEST_ROWS, (now_ns,))
    return tuple(HostNow(*(*row[:-1], surveyed.get(row[0]), row[-1])) for row in rows)


def _leaks(journal: sqlite3.Connection) -> tuple[LeaksNow, ...]:
    counts = {row[0]: row for row in journal.execute(_LEFT_COUNTS)}
    rows = journal.execute(_LEFT)
    return tuple(LeaksNow(*counts[row[0]], *row[1:]) for row in rows)


def _leakers(journal: sqlite3.Connection, what: str, source: str, span: tuple[int, int]) -> Leakers:
    since_ns, now_ns = span
    query = _LEAKERS.format(what=what, source=source)
    rows = journal.execute(query, {"since": since_ns, "now": now_ns}).fetchall()
    return Leakers(tuple(Leaker(*(*row[:-1], bool(row[-1]))) for row in rows[:LEAKERS]), len(rows))


def _by_outcome(journal: sqlite3.Connection, span: tuple[int, int]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for _, outcome, count in journal.execute(_OUTCOMES, span):
        counts[outcome] = counts.get(outcome, 0) + count
    return counts


def _removals(journal: sqlite3.Connection, which: str, *values: int | str) -> tuple[RemovalRow, ...]:
    return tuple(RemovalRow(*row) for row in journal.execute(_REMOVALS + which, values))


def _last_run(journal: sqlite3.Connection, now_ns: int) -> LastRun | None:
    run = journal.execute(_LAST_RUN, (now_ns,)).fetchone()
    if run is None:
        return None
    run_id, command, dry_run, started_ns, finished_ns, exit_code = run
    head = journal.execute(_HEAD, (run_id,)).fetchone()
    return LastRun(
        run_id,
        command,
        bool(dry_run),
        started_ns,
        finished_ns,
        exit_code,
        rows=tuple(_run_row(row, acts=command != "audit" and not dry_run) for row in journal.execute(_ROWS, (run_id,))),
        removals=_removals(journal, "WHERE run = ? ORDER BY id LIMIT ?", run_id, RUN_REMOVALS),
        head=None if head is None else head[0],
    )


def _run_row(row: tuple[object, ...], *, acts: bool) -> RunRow:
    name, status, known, containers, matched, stale, removed, oldest_s, *rest = row
    counts = (containers, matched, stale, removed if acts else None, oldest_s) if known else (None,) * 5
    return RunRow(name, status, *counts, *rest)  # type: ignore[arg-type]  # typed by the table


def _unended(journal: sqlite3.Connection, now_ns: int) -> UnendedRun | None:
    newest = journal.execute(_NEWEST_RUN, (now_ns,)).fetchone()
    return None if newest is None or newest[2] is not None else UnendedRun(newest[0], newest[1])
