"""Queries on the journal: a list of past runs, and one run whole. Writes nothing and takes no lock."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fleetsweep.errors import UsageError
from fleetsweep.model.journal import PastHost, PastRun, Record
from fleetsweep.store.journal.database import NoRunError, reading
from fleetsweep.store.journal.removals import removals

_RUNS: Final = """
WITH picked AS (SELECT rowid AS number, * FROM run WHERE {which} ORDER BY started_ns DESC, rowid DESC LIMIT ?)
SELECT picked.id, command, dry_run, started_ns, finished_ns, exit_code, coalesce(rows.hosts, 0), coalesce(rows.ok, 0),
    coalesce(rows.stale, 0),
    coalesce(CASE WHEN finished_ns IS NOT NULL THEN rows.removed END, intents.removed, 0), coalesce(intents.unknown, 0)
FROM picked
LEFT JOIN (SELECT run, count(*) AS hosts, sum(status = 'ok') AS ok, sum(stale) AS stale, sum(removed) AS removed
    FROM host WHERE run IN (SELECT id FROM picked) AND {rows} GROUP BY run) AS rows ON rows.run = picked.id
LEFT JOIN (SELECT run, sum(outcome IS 'removed') AS removed,
    sum(id IN (SELECT id FROM open_intent)) AS unknown
    FROM intent WHERE run IN (SELECT id FROM picked) AND {intents} GROUP BY run) AS intents ON intents.run = picked.id
ORDER BY started_ns DESC, number DESC
"""
_WITH_HOST: Final = """
(EXISTS (SELECT 1 FROM host WHERE host.run = run.id AND name IN {names})
    OR id IN (SELECT run FROM intent WHERE host IN {names}))
"""
_HOSTS: Final = """
SELECT name, status, containers, matched, stale, removed, skew_s, duration_s, error, endpoint
FROM host WHERE run = ? ORDER BY name
"""


def past_runs(
    state_dir: Path, *, most: int | None = None, since_ns: int = 0, hosts: Sequence[str] = (), failed: bool = False
) -> tuple[PastRun, ...]:
    """Return the last ``most`` runs since ``since_ns``, the newest first. Raises UsageError without a readable journal.

    ``hosts`` selects the runs with one of these hosts and counts only those hosts. ``failed`` selects the runs without
    exit code 0, including those that did not end.
    """
    names = f"({', '.join('?' * len(hosts))})"
    which = ["started_ns >= ?", *([_WITH_HOST.format(names=names)] if hosts else [])]
    query = _RUNS.format(
        which=" AND ".join([*which, *(["exit_code IS NOT 0"] if failed else [])]),
        rows=f"name IN {names}" if hosts else "1",
        intents=f"host IN {names}" if hosts else "1",
    )
    with reading(state_dir) as journal:
        values = (since_ns, *hosts, *hosts, -1 if most is None else most, *hosts, *hosts)
        return tuple(_run(row) for row in journal.execute(query, values))


def record(state_dir: Path, run: str) -> Record:
    """Return the run whose id begins with ``run``, with its hosts and removals; the newest run if ``run`` is empty.

    Raises UsageError without a readable journal, and where no run or several match.
    """
    with reading(state_dir) as journal:
        query = _RUNS.format(which="substr(id, 1, length(?)) = ?", rows="1", intents="1")
        found = [_run(row) for row in journal.execute(query, (run, run, 2))]
        if len(found) > 1 and run:
            raise UsageError(f"several runs' ids begin with {run!r}, {found[0].id} and {found[1].id}: give more of it")
        if not found:
            what = f"no run's id begins with {run!r}" if run else "no run is recorded"
            raise NoRunError(f"{what} in {state_dir}: fleetsweep history lists them")
        hosts = tuple(PastHost(*row) for row in journal.execute(_HOSTS, (found[0].id,)))
        return Record(found[0], hosts, removals(journal, "run = ?", (found[0].id,)))


def _run(row: Sequence[object]) -> PastRun:
    run_id, command, dry_run, *rest = row
    return PastRun(run_id, command, bool(dry_run), *rest)  # type: ignore[arg-type]  # typed by the tables
