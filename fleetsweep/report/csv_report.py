"""``--format csv``: one row a host, for a spreadsheet."""

from __future__ import annotations

import csv
import io
import math
from typing import Final

from fleetsweep.model.report import FleetReport, HostReport
from fleetsweep.report.cells import iso_utc
from fleetsweep.report.escape import csv_cell
from fleetsweep.report.totals import host_totals

COLUMNS: Final = (
    "host",
    "status",
    "containers",
    "matched",
    "stale",
    "removed",
    "gone",
    "changed",
    "failed_removals",
    "unknown",
    "unknown_age",
    "oldest_s",
    "clock_skew_s",
    "duration_s",
    "engine",
    "error_phase",
    "error_kind",
    "error_message",
    "error_remedy",
    "guard",
    "guard_message",
    "run_id",
    "command",
    "dry_run",
    "started_at",
)


def render_csv(report: FleetReport, *, verbose: bool = False, color: bool = False, width: int | None = None) -> str:
    """Return a header and one row a host, under COLUMNS. The options change nothing.

    An empty cell is an unknown value. ``guard`` is the host's, or else the fleet's. The last four columns are the same
    on each row, so that the files of many runs can be concatenated.
    """
    text = io.StringIO()
    # Every string is quoted: where a semicolon separates, a bare "a;=cmd" would be two cells, one a formula.
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(COLUMNS)
    for host in report.hosts:
        cells = _row(host, report)
        writer.writerow([csv_cell(cell) if isinstance(cell, str) else cell for cell in cells])
    return text.getvalue()


def _row(host: HostReport, report: FleetReport) -> tuple[float | str, ...]:
    totals = host_totals(host)
    fault = host.fault
    guard = host.guarded_by or report.guard
    return (
        host.host.name,
        host.status.value,
        totals.containers,
        totals.matched,
        totals.stale,
        totals.removed,
        totals.gone,
        totals.changed,
        totals.failed_removals,
        totals.unknown,
        totals.unknown_age,
        "" if totals.oldest_s is None else totals.oldest_s,
        _rounded(host.plan.skew_s, 1) if host.plan else "",
        _rounded(host.duration_s, 3),
        host.plan.engine.server if host.plan else "",
        fault.phase.value if fault and fault.phase else "",
        fault.kind if fault else "",
        fault.message if fault else "",
        fault.remedy if fault else "",
        guard.name.value if guard else "",
        guard.message if guard else "",
        report.run_id,
        report.command,
        "true" if report.dry_run else "false",
        iso_utc(report.started_ns),
    )


def _rounded(value: float, digits: int) -> float | str:
    return round(value, digits) + 0.0 if math.isfinite(value) else ""  # + 0.0: there is no minus zero
