"""What the runs of one command added up to, for metrics."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from fleetsweep.model.journal import Counters, LastSuccesses

if TYPE_CHECKING:
    from fleetsweep.store.journal.writer import Journal

_RUN_SUCCESS: Final = """
SELECT finished_ns FROM run WHERE command = ? AND exit_code = 0 ORDER BY started_ns DESC LIMIT 1
"""
# CROSS JOIN: from the latest run back, so that it ends at the first one that is found.
_HOST_SUCCESSES: Final = """
SELECT wanted.value, (SELECT run.finished_ns FROM run CROSS JOIN host ON host.run = run.id AND host.name = wanted.value
    WHERE run.command = ? AND run.finished_ns IS NOT NULL AND host.surveyed AND host.status = 'ok'
    ORDER BY run.started_ns DESC LIMIT 1),
    EXISTS (SELECT 1 FROM run CROSS JOIN host ON host.run = run.id AND host.name = wanted.value
    WHERE run.finished_ns IS NOT NULL AND host.surveyed)
FROM json_each(?) AS wanted
"""


def last_successes(journal: Journal, command: str, hosts: Collection[str]) -> LastSuccesses:
    """Return the last successes of ``command`` and of these hosts. Raises JournalError."""
    runs = journal.read(_RUN_SUCCESS, (command,))
    rows = journal.read(_HOST_SUCCESSES, (command, json.dumps(list(hosts)))) if hosts else ()
    return LastSuccesses(
        runs[0][0] if runs else None,  # type: ignore[arg-type]  # typed by the table
        {str(name): finished_ns for name, finished_ns, _ in rows if finished_ns is not None},  # type: ignore[misc]
        frozenset(str(name) for name, _, seen in rows if seen),
    )


def counters(journal: Journal, command: str) -> Counters:
    """Return the journal's counters of ``command``, and those that belong to no command. Raises JournalError."""
    runs: dict[str, int] = {}
    hosts: dict[str, dict[str, int]] = {}
    query = "SELECT name, host, value FROM counter WHERE command IN (?, '')"
    for name, host, value in journal.read(query, (command,)):
        of_run = runs if not host else hosts.setdefault(str(name), {})
        of_run[str(host or name)] = int(str(value))
    return Counters(runs, hosts)
