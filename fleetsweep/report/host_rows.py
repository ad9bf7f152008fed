"""The rows of a run's table: one a host; in a large fleet, one for all hosts whose rows are equal. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleetsweep.model.report import FleetReport, HostReport
from fleetsweep.model.survey import Status
from fleetsweep.report.cells import NAME_LIMIT, group_row, host_note, host_row, humanize, would_remove
from fleetsweep.report.groups import ROWS_FOLDED_ABOVE, grouped
from fleetsweep.report.totals import counted_plan, host_totals


@dataclass(frozen=True, slots=True)
class HostRow:
    """A row's cells, under HOST_COLUMNS, and the status of its host or hosts."""

    status: Status
    cells: list[str]


def host_rows(report: FleetReport, *, whole: bool, name_limit: int = NAME_LIMIT) -> list[HostRow]:
    """Return the rows in inventory order. ``whole`` gives each host its own.

    Folded names have at most ``name_limit`` characters.
    """
    if whole or len(report.hosts) <= ROWS_FOLDED_ABOVE:
        return [HostRow(host.status, host_row(host, report)) for host in report.hosts]
    groups = grouped(report.hosts, lambda host: _alike(host, report))
    return [HostRow(hosts[0].status, _row(hosts, report, name_limit)) for hosts in groups]


def _row(hosts: Sequence[HostReport], report: FleetReport, name_limit: int) -> list[str]:
    return host_row(hosts[0], report) if len(hosts) == 1 else group_row(hosts, report, name_limit)


def _alike(host: HostReport, report: FleetReport) -> tuple[str | int | bool, ...]:
    """Return what is equal in hosts that share a row: all but the containers that stay, the clock and the time."""
    totals = host_totals(host)
    return (
        host.status.value,
        counted_plan(host) is None,
        totals.stale,
        totals.removed,
        would_remove(host, report),
        humanize(totals.oldest_s),
        host_note(host, totals),
    )
