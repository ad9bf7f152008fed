"""Reports as text: one renderer a file, each a pure function of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from fleetsweep.model.report import FleetReport
from fleetsweep.report.cells import host_note, humanize
from fleetsweep.report.checkup import render_checkups
from fleetsweep.report.csv_report import render_csv
from fleetsweep.report.escape import printable
from fleetsweep.report.explanation import confirmation, render_explanation
from fleetsweep.report.history import render_history, render_holds, render_record
from fleetsweep.report.json_report import render_json
from fleetsweep.report.jsonl import render_jsonl
from fleetsweep.report.markdown import render_markdown
from fleetsweep.report.problems import problems
from fleetsweep.report.table import render_table
from fleetsweep.report.totals import exit_code, fleet_totals, host_totals
from fleetsweep.report.unknown_keys import render_unknown_keys
from fleetsweep.report.unread_settings import render_unread

__all__ = [
    "FORMATS",
    "confirmation",
    "exit_code",
    "fleet_totals",
    "host_note",
    "host_totals",
    "humanize",
    "printable",
    "problems",
    "render",
    "render_checkups",
    "render_explanation",
    "render_history",
    "render_holds",
    "render_record",
    "render_unknown_keys",
    "render_unread",
]


class Renderer(Protocol):
    """A report format. Its text ends with one newline."""

    def __call__(
        self, report: FleetReport, *, verbose: bool = False, color: bool = False, width: int | None = None
    ) -> str:
        """Return the report as text. Only the table has colours, and lines that are fitted into ``width`` cells."""


FORMATS: Final[Mapping[str, Renderer]] = {
    "table": render_table,
    "json": render_json,
    "jsonl": render_jsonl,
    "csv": render_csv,
    "markdown": render_markdown,
}


def render(
    report: FleetReport, format: str, *, verbose: bool = False, color: bool = False, width: int | None = None
) -> str:
    """Return the report in one of FORMATS, ending with one newline. Raises KeyError for any other ``format``."""
    return FORMATS[format](report, verbose=verbose, color=color, width=width)
