"""A run's report: made of its rows, and printed."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fleetsweep.console import Output, columns, deliver, is_plain
from fleetsweep.exit_codes import BUG, worst
from fleetsweep.model.decision import Guard
from fleetsweep.model.report import FleetReport, HostReport

if TYPE_CHECKING:
    from fleetsweep.cli.config import RunConfig

log = logging.getLogger(__name__)


def make_report(
    config: RunConfig,
    run_id: str,
    started_ns: int,
    rows: Sequence[HostReport],
    guard: Guard | None,
    stopped_by: int | None,
) -> FleetReport:
    """Return the report of a run that ends now. ``guard`` is the fleet's, ``stopped_by`` a signal's number."""
    from fleetsweep.report import exit_code

    code = exit_code(rows, guard, fail_on_stale=config.output.fail_on_stale, stopped_by=stopped_by)
    return FleetReport(run_id, config.command, config.dry_run, started_ns, time.time_ns(), code, tuple(rows), guard)


def print_report(report: FleetReport, output: Output) -> int:
    """Print the report and return the exit code. A bug in its format costs the format, not the hosts' states."""
    from fleetsweep.report import render

    color = output.path is None and not is_plain(sys.stdout)
    try:
        text = render(report, output.style, verbose=output.verbose, color=color, width=columns(output))
    except Exception:
        log.exception("a bug in the report")
        return deliver(fallback(report.hosts), output, worst(report.exit_code, BUG))
    return deliver(text, output, report.exit_code)


def fallback(rows: Sequence[HostReport]) -> str:
    """Return the hosts' states, for a report whose format has a bug."""
    from fleetsweep.report import printable

    return "".join(f"{printable(row.host.name)}: {row.status}\n" for row in rows)
