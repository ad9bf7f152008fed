"""Queries on leaks: those of one span of time, and everything recorded of one container."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from fleetsweep.model.journal import PastRemoval
from fleetsweep.model.leak_history import LeakHistory, Look, PastContainer, PastLeak
from fleetsweep.store.journal.database import has_leaks, reading, storable
from fleetsweep.store.journal.removals import attributes_of_row, removals

_LEAKS: Final = """
SELECT host, container_id, name, image, reason, attributes, created_ns, stale_since_ns, first_seen_ns, last_seen_ns,
    runs, sweeps, ended_ns, ended_as, {runs} FROM leak WHERE {which} ORDER BY first_seen_ns, host, container_id
"""
# A leak's times are when a run ended.
_ITS_RUNS: Final = """
(SELECT id FROM run WHERE finished_ns = leak.first_seen_ns ORDER BY rowid LIMIT 1),
(SELECT id FROM run WHERE id = leak.last_run)
"""
_NO_RUNS: Final = "NULL, NULL"
# The leaks that a run saw are recorded when it ends: one that did not end is no look.
_LOOKS: Final = """
SELECT run.rowid, run.started_ns, host.name FROM run JOIN host ON host.run = run.id
WHERE host.surveyed AND run.finished_ns IS NOT NULL AND run.started_ns >= ? AND run.started_ns < ?
    AND {recorded} {hosts}
"""
# Under these guards the containers are another host's, or their ages are unknown.
_RECORDED: Final = """
run.started_ns > (SELECT max(after_ns) FROM recording) AND coalesce(host.guard, '') NOT IN ('identity', 'skew')
"""
_HOSTS: Final = """
SELECT DISTINCT host.name FROM run JOIN host ON host.run = run.id
WHERE run.started_ns >= ? AND run.started_ns < ? {hosts} ORDER BY host.name
"""
_LAST_LOOKS: Final = """
SELECT host.name, max(run.started_ns) FROM host JOIN run ON run.id = host.run
WHERE host.surveyed AND run.finished_ns IS NOT NULL {hosts} GROUP BY host.name
"""
_REMOVED: Final = """
outcome = 'removed' AND concluded_ns >= ? AND concluded_ns < ? AND instr(container_id, ':') = 0
AND run IN (SELECT id FROM run WHERE command = 'sweep')
"""


def leak_history(state_dir: Path, since_ns: int, until_ns: int, hosts: Sequence[str] = ()) -> LeakHistory:
    """Return the leaks, removals and surveys between two times, of all hosts or of these. Raises UsageError."""
    span = (since_ns, until_ns, *hosts)
    ran_on = _among("host.name", hosts)
    with reading(state_dir) as journal:
        recorded = has_leaks(journal)
        looks = _LOOKS.format(recorded=_RECORDED if recorded else "1", hosts=ran_on)
        (first_run_ns,) = journal.execute("SELECT min(started_ns) FROM run").fetchone()
        return LeakHistory(
            since_ns,
            until_ns,
            leaks=_leaks(journal, f"first_seen_ns < ?{_among('host', hosts)}", (until_ns, *hosts)) if recorded else (),
            removals=removals(journal, f"{_REMOVED}{_among('host', hosts)}", span),
            looks=tuple(map(Look._make, journal.execute(looks, span))),
            hosts=tuple(name for (name,) in journal.execute(_HOSTS.format(hosts=ran_on), span)),
            last_looks=dict(journal.execute(_LAST_LOOKS.format(hosts=ran_on), tuple(hosts))),
            groups=_groups(journal) if recorded else {},
            first_run_ns=first_run_ns,
            recorded=recorded,
        )


def past_containers(state_dir: Path, text: str, hosts: Sequence[str] = ()) -> tuple[PastContainer, ...]:
    """Return the containers whose name or id is ``text``, or if there are none, starts with it; the newest first.

    They are those that a run saw stale or meant to remove, on any host or on one of ``hosts``. Raises UsageError.
    """
    text = storable(text)
    if not text:
        return ()
    with reading(state_dir) as journal:
        for test, values in (("{} = ?", (text,)), ("substr({}, 1, length(?)) = ?", (text, text))):
            which = f"({test.format('name')} OR {test.format('container_id')}){_among('host', hosts)}"
            found = _containers(journal, which, (*values, *values, *hosts))
            if found:
                return found
    return ()


def _containers(journal: sqlite3.Connection, which: str, values: Sequence[object]) -> tuple[PastContainer, ...]:
    leaks: dict[str, list[PastLeak]] = {}
    asked: dict[str, list[PastRemoval]] = {}
    for leak in _leaks(journal, which, values, runs=_ITS_RUNS) if has_leaks(journal) else ():
        leaks.setdefault(leak.container_id, []).append(leak)
    for removal in removals(journal, which, values):
        asked.setdefault(removal.container_id, []).append(removal)
    found = [
        PastContainer(
            each, _name(leaks.get(each, ()), asked.get(each, ())), (*leaks.get(each, ()),), (*asked.get(each, ()),)
        )
        for each in {**leaks, **asked}
    ]
    return tuple(sorted(found, key=lambda each: each.last_ns, reverse=True))


def _name(leaks: Sequence[PastLeak], asked: Sequence[PastRemoval]) -> str:
    return asked[-1].name if asked else leaks[-1].name


def _among(column: str, hosts: Sequence[str]) -> str:
    return f" AND {column} IN ({', '.join('?' * len(hosts))})" if hosts else ""


def _leaks(
    journal: sqlite3.Connection, which: str, values: Sequence[object], *, runs: str = _NO_RUNS
) -> tuple[PastLeak, ...]:
    return tuple(_leak(row) for row in journal.execute(_LEAKS.format(which=which, runs=runs), tuple(values)))


def _leak(row: Sequence[object]) -> PastLeak:
    known = PastLeak(*row)  # type: ignore[arg-type]  # typed by the tables
    return replace(known, attributes=attributes_of_row(known.attributes))


def _groups(journal: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    found = {}
    for host, text in journal.execute("SELECT host, groups FROM host_groups"):
        try:
            names = json.loads(text)
        except ValueError:
            # A list that was too long was cut.
            continue
        found[host] = tuple(map(str, names))
    return found
