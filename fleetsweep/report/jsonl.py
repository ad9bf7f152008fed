"""``--format jsonl``: one host a line for log shippers and ``jq``, then one line for the run."""

from __future__ import annotations

import json

from fleetsweep.model.report import FleetReport
from fleetsweep.report.json_report import head_object, host_object


def render_jsonl(report: FleetReport, *, verbose: bool = False, color: bool = False, width: int | None = None) -> str:
    """Return each host's object of the JSON report, then the rest of that report: the line with ``totals``.

    The options change nothing. No line has a newline in it: JSON escapes them.
    """
    objects = [*map(host_object, report.hosts), head_object(report)]
    return "".join(json.dumps(line, ensure_ascii=True, allow_nan=False) + "\n" for line in objects)
