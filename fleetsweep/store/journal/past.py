"""What the journal has of a run's hosts from before it: for its warnings, the guard ``anomaly`` and its metrics.

Each query is bounded.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fleetsweep.model.past_hosts import LastMatch, OpenLeak, PastOfHosts
from fleetsweep.store.journal.database import reading

if TYPE_CHECKING:
    from fleetsweep.store.journal.writer import Journal

RUNS: Final = 24
"""Runs that are looked back for guards."""

LEAKS: Final = 5_000
"""The most leaks that are read."""

COUNTS_A_HOST: Final = 100
"""The most counts of one host that are read for the guard ``anomaly``: some days of an hourly run."""

COUNTED_RUNS: Final = 500
"""Runs that are looked back for these counts: several schedules may share the journal."""

RECENT_RUNS: Final = 5
"""Runs whose warnings are compared with those of this one."""

_MATCHES: Final = """
SELECT host, at_ns, others, runs FROM last_match WHERE host IN (SELECT value FROM json_each(?))
"""
# At least so many runs that one more may be reported: see policy.warnings.
_LEAKS: Final = """
SELECT host, container_id, runs, sweeps FROM leak
WHERE host IN (SELECT value FROM json_each(?)) AND ended_ns IS NULL AND (sweeps >= 2 OR runs >= 23) LIMIT ?
"""
_GUARDS: Final = """
SELECT host.name, host.guard FROM (SELECT id, started_ns FROM run WHERE command = ? AND finished_ns IS NOT NULL
    AND id <> ? ORDER BY started_ns DESC LIMIT ?) AS past
JOIN host ON host.run = past.id AND host.name IN (SELECT value FROM json_each(?))
WHERE host.surveyed OR host.guard IS NOT NULL ORDER BY past.started_ns DESC
"""

# The error is that of a guard, too.
_COUNTS: Final = """
SELECT host.name, host.stale FROM (SELECT id, started_ns FROM run
    WHERE command IN (SELECT value FROM json_each(?)) AND finished_ns IS NOT NULL
    ORDER BY started_ns DESC LIMIT ?) AS past
JOIN host ON host.run = past.id AND host.name IN (SELECT value FROM json_each(?))
WHERE host.surveyed AND host.error IS NULL ORDER BY past.started_ns DESC LIMIT ?
"""

_RECENT_HEADS: Final = """
SELECT document FROM (SELECT id FROM run WHERE command = ? AND finished_ns IS NOT NULL ORDER BY started_ns DESC LIMIT ?)
JOIN report_part ON run = id AND part = 0
"""


def recent_heads(journal: Journal, command: str) -> list[bytes]:
    """Return the heads of the last few reports of ``command``, compressed. Raises JournalError."""
    return [row[0] for row in journal.read(_RECENT_HEADS, (command, RECENT_RUNS))]  # type: ignore[misc]


def past_of_hosts(
    journal: Journal, command: str, *, unmatched: Collection[str], stale: Collection[str], guarded: Collection[str]
) -> PastOfHosts:
    """Return what the journal has of these hosts: ``unmatched`` now, with ``stale`` containers, and ``guarded`` now.

    Raises JournalError. Without such hosts nothing is read.
    """
    matches = {
        str(host): LastMatch(*values)  # type: ignore[arg-type]  # typed by the table
        for host, *values in (journal.read(_MATCHES, (_names(unmatched),)) if unmatched else ())
    }
    leaks: dict[str, dict[str, OpenLeak]] = {}
    for host, container_id, runs, sweeps in journal.read(_LEAKS, (_names(stale), LEAKS)) if stale else ():
        leaks.setdefault(str(host), {})[str(container_id)] = OpenLeak(runs, sweeps)  # type: ignore[arg-type]
    counts, ended = dict.fromkeys(guarded, 0), set()
    values = (command, journal.run_id, RUNS, _names(guarded))
    for name, guard in journal.read(_GUARDS, values) if guarded else ():
        if guard is None:
            ended.add(name)
        elif name not in ended:
            counts[str(name)] += 1
    return PastOfHosts(matches, leaks, counts)


def _names(hosts: Collection[str]) -> str:
    return json.dumps(list(hosts))


def stale_counts(state_dir: Path, command: str, hosts: Collection[str]) -> Mapping[str, tuple[int, ...]]:
    """Return how many candidates the last runs found on each host, the oldest first.

    They are the runs that surveyed it without a guard or an error: those of teardowns for a teardown, else those of
    audits and sweeps. Raises UsageError where the journal can't be read, and NoJournalError where there is none.
    """
    commands = ["teardown"] if command == "teardown" else ["audit", "sweep"]
    found: dict[str, list[int]] = {}
    with reading(state_dir) as journal:
        values = (json.dumps(commands), COUNTED_RUNS, _names(hosts), COUNTS_A_HOST * len(hosts))
        for name, stale in journal.execute(_COUNTS, values):
            found.setdefault(name, []).append(stale)
    return {name: tuple(reversed(counts[:COUNTS_A_HOST])) for name, counts in found.items()}
