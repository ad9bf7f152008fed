"""Reports as text: one renderer a file, each a pure function of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol, cast

from fleetsweep.model.report import FleetReport
from fleetsweep.runtime.lazy import lazy_names

if TYPE_CHECKING:
    from fleetsweep.report.cells import host_note, humanize
    from fleetsweep.report.checkup import render_checkups
    from fleetsweep.report.escape import printable
    from fleetsweep.report.explanation import confirmation, render_explanation
    from fleetsweep.report.history import render_history, render_holds, render_record
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


FORMATS: Final[Mapping[str, str]] = {
    "table": "render_table",
    "json": "render_json",
    "jsonl": "render_jsonl",
    "csv": "render_csv",
    "markdown": "render_markdown",
}
"""The renderer of each format, by its name in this package."""

_MODULES: Final[Mapping[str, str]] = {
    "confirmation": "explanation",
    "exit_code": "totals",
    "fleet_totals": "totals",
    "host_note": "cells",
    "host_totals": "totals",
    "humanize": "cells",
    "printable": "escape",
    "render_checkups": "checkup",
    "render_csv": "csv_report",
    "render_explanation": "explanation",
    "render_history": "history",
    "render_holds": "history",
    "render_json": "json_report",
    "render_jsonl": "jsonl",
    "render_markdown": "markdown",
    "render_record": "history",
    "render_table": "table",
    "render_unknown_keys": "unknown_keys",
    "render_unread": "unread_settings",
}


__getattr__ = lazy_names(__name__, _MODULES)


def render(
    report: FleetReport, format: str, *, verbose: bool = False, color: bool = False, width: int | None = None
) -> str:
    """Return the report in one of FORMATS, ending with one newline. Raises KeyError for any other ``format``."""
    renderer = cast(Renderer, __getattr__(FORMATS[format]))
    return renderer(report, verbose=verbose, color=color, width=width)
