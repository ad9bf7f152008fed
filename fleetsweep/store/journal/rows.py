"""Writing the rows of a run's hosts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from fleetsweep.model.decision import Guard
from fleetsweep.model.outcome import Outcome
from fleetsweep.model.report import HostReport
from fleetsweep.store.journal.database import Statement

GROUPS_LIMIT: Final = 4000
"""Characters that are kept of a host's groups, as JSON."""

ERROR_LIMIT: Final = 500
"""Characters that are kept of a fault's or a guard's message."""


def row_statements(run_id: str, row: HostReport, *, looked: bool) -> Iterator[Statement]:
    """Yield the statements that record one host's row.

    ``looked`` is False for a run that carried out a saved plan: it surveyed no host.
    """
    plan = row.plan
    guard = row.guarded_by
    problem = row.fault.message if row.fault else guard.message if guard else None
    candidates = plan.candidates if plan else ()
    yield (
        "INSERT INTO host (run, name, endpoint, status, surveyed, error, containers, matched, stale, removed, "
        "skew_s, duration_s, guard, phase, kind, oldest_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run_id,
            row.host.name,
            row.host.endpoint,
            row.status,
            looked and plan is not None,
            problem and problem[:ERROR_LIMIT],
            plan.containers if plan else 0,
            len(plan.decisions) if plan else 0,
            len(candidates),
            sum(removal.outcome is Outcome.REMOVED for removal in row.removals),
            plan.skew_s if plan else None,
            row.duration_s,
            guard.name if guard else None,
            row.fault.phase if row.fault else None,
            row.fault.kind if row.fault else None,
            max((decision.age_s for decision in candidates if decision.age_s is not None), default=None),
        ),
    )
    if row.host.groups:
        yield (
            "INSERT INTO host_groups VALUES (?, ?) ON CONFLICT (host) DO UPDATE SET groups = excluded.groups "
            "WHERE groups <> excluded.groups",
            (row.host.name, json.dumps(row.host.groups)[:GROUPS_LIMIT]),
        )


def guard_statement(run_id: str, guard: Guard) -> Statement:
    """Return the statement that adds the fleet's guard to all rows of a run: it is known when every host is planned."""
    return (
        "UPDATE host SET guard = coalesce(guard, ?), error = coalesce(error, ?) WHERE run = ?",
        (guard.name, guard.message[:ERROR_LIMIT], run_id),
    )
