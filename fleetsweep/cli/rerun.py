"""``--rerun``: the hosts of a past run that had a status, of those that are selected now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleetsweep.console import say_wrapped
from fleetsweep.errors import UsageError
from fleetsweep.model.host import Host

LAST: Final = "last"
"""Means the newest audit or sweep that ended."""

_RUNS_TO_SEARCH: Final = 200


@dataclass(frozen=True, slots=True)
class PastHosts:
    """The names, as stored, of the hosts that had a status in a run."""

    run_id: str
    status: str
    names: frozenset[str]

    def among(self, hosts: Sequence[Host]) -> tuple[Host, ...]:
        """Return those of the hosts that have one of the names; print which names are missing.

        Raises UsageError if there are none: nothing may be done to another host instead.
        """
        from fleetsweep.inventory import fold
        from fleetsweep.report import printable
        from fleetsweep.store.journal.database import storable

        chosen = tuple(host for host in hosts if storable(host.name) in self.names)
        missing = self.names - {storable(host.name) for host in chosen}
        what = f"{printable(fold(sorted(missing)), limit=1000)} ({self.status} in run {printable(self.run_id)})"
        if not chosen:
            raise UsageError(f"--rerun: no selected host is one of {what}: change --limit or --inventory")
        if missing:
            say_wrapped(f"Warning: --rerun: not among the selected hosts: {what}")
        return chosen


def past_hosts(text: str, status: str, state_dir: Path) -> PastHosts:
    """Return the hosts that ``--rerun`` names. Raises UsageError where there is no such host."""
    from fleetsweep.report import printable
    from fleetsweep.store.journal import record

    found = record(state_dir, _last(state_dir) if text == LAST else text)
    run_id = printable(found.run.id)
    if found.run.exit_code is None:
        raise UsageError(f"--rerun: run {run_id} did not end, so it has no results: fleetsweep history lists the runs")
    names = frozenset(host.name for host in found.hosts if host.status == status)
    if not names:
        raise UsageError(f"--rerun: no host was {status} in run {run_id}: there is nothing to run again")
    return PastHosts(found.run.id, status, names)


def _last(state_dir: Path) -> str:
    from fleetsweep.store.journal import past_runs

    runs = past_runs(state_dir, most=_RUNS_TO_SEARCH)
    found = next((run.id for run in runs if run.exit_code is not None and run.command in ("audit", "sweep")), None)
    if found is None:
        raise UsageError(f"--rerun: no audit or sweep that ended is recorded in {state_dir}")
    return found
