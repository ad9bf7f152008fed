"""``--format jsonl``: one host a line for log shippers and ``jq``, then one line for the run."""

from __future__ import annotations

import json
from collections.abc import Iterable

from fleetsweep.model.report import FleetReport, HostReport
from fleetsweep.report.json_report import JsonObject, head_object, host_object


def render_jsonl(report: FleetReport, *, verbose: bool = False, color: bool = False, width: int | None = None) -> str:
    """Return each host's object of the JSON report, then the rest of that report: the line with ``totals``.

    The options change nothing. No line has a newline in it: JSON escapes them.
    """
    return lines(report.hosts) + head_line(report)


def lines(rows: Iterable[HostReport]) -> str:
    """Return a line for each host."""
    return "".join(_line(host_object(row)) for row in rows)


def head_line(report: FleetReport) -> str:
    """Return the line of the run, which ends the report."""
    return _line(head_object(report))


def _line(value: JsonObject) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False) + "\n"
