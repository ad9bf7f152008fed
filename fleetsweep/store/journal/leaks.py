"""Recording which leaked containers a run saw: one row a container, from the first such run until it is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from fleetsweep.model.leak import Leak, LeaksSeen
from fleetsweep.model.report import FleetReport
from fleetsweep.store.journal.database import Statement

NAME_LIMIT: Final = 255
"""Characters that are kept of a container's name."""

IMAGE_LIMIT: Final = 500
"""Characters that are kept of an image reference."""

LEAKS_A_RUN: Final = 500
"""The most leaks that one run records of one host. The host's row counts all of them."""

LEAKS_A_HOST: Final = 5_000
"""The most rows that are kept of one host: a box may invent new containers every hour."""

_SEEN: Final = """
INSERT INTO leak (host, container_id, name, image, reason, attributes, created_ns, stale_since_ns, first_seen_ns,
    last_seen_ns, last_run, runs, sweeps) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?)
ON CONFLICT (host, container_id) DO UPDATE SET
    stale_since_ns = min(stale_since_ns, excluded.stale_since_ns), last_seen_ns = excluded.last_seen_ns,
    last_run = excluded.last_run, runs = runs + 1, sweeps = sweeps + excluded.sweeps, reason = excluded.reason,
    ended_ns = NULL, ended_as = NULL
"""
_END: Final = "UPDATE leak SET ended_ns = ?, ended_as = ? WHERE host = ? AND container_id = ?"
_KEPT: Final = """
UPDATE leak SET ended_ns = ?, ended_as = 'kept' WHERE host = ? AND ended_ns IS NULL AND last_run <> ?
    AND container_id IN (SELECT value FROM json_each(?))
"""
_ABSENT: Final = """
UPDATE leak SET ended_ns = ?, ended_as = 'gone' WHERE host = ? AND ended_ns IS NULL AND last_run <> ?
"""
_BOUND: Final = """
DELETE FROM leak WHERE host = ? AND container_id IN (
    SELECT container_id FROM leak WHERE host = ? ORDER BY last_seen_ns DESC, container_id LIMIT -1 OFFSET ?)
"""


def leak_statements(
    run_id: str, host: str, seen: LeaksSeen, report: FleetReport, *, looked: bool
) -> Iterator[Statement]:
    """Yield the statements that record what a run saw of one host's leaks.

    ``looked`` is False for a run that carried out a saved plan: its list of leaks is older than the run.
    """
    now_ns = report.finished_ns
    acts = report.command == "sweep" and not report.dry_run
    if looked:
        for leak in seen.found[:LEAKS_A_RUN]:
            missed = acts and leak.container_id not in seen.gone
            yield _SEEN, (host, *_values(leak), now_ns, now_ns, run_id, missed)
    for container_id, outcome in seen.gone.items():
        yield _END, (now_ns, outcome, host, container_id)
    if looked and seen.complete:
        if seen.kept:
            yield _KEPT, (now_ns, host, run_id, json.dumps(sorted(seen.kept)))
        if len(seen.found) <= LEAKS_A_RUN:
            yield _ABSENT, (now_ns, host, run_id)
    if looked and seen.found:
        yield _BOUND, (host, host, LEAKS_A_HOST)


def _values(leak: Leak) -> tuple[object, ...]:
    return (
        leak.container_id,
        leak.name[:NAME_LIMIT],
        leak.image[:IMAGE_LIMIT],
        leak.reason,
        json.dumps(dict(leak.attributes)),
        leak.created_ns,
        leak.stale_since_ns,
    )
