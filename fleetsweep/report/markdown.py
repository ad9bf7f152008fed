"""``--format markdown``: the table for a CI job's summary or a comment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fleetsweep.model.report import FleetReport
from fleetsweep.report.cells import (
    CONTAINER_COLUMNS,
    HOST_COLUMNS,
    container_rows,
    iso_utc,
    totals_row,
)
from fleetsweep.report.escape import LIMIT, markdown_text
from fleetsweep.report.fit import Column
from fleetsweep.report.host_rows import host_rows
from fleetsweep.report.problems import problem_lines

LINE_LIMIT: Final = 4 * LIMIT
"""Characters of one line. Its parts were cut before; cutting the whole line would lose the remedy at its end."""


def render_markdown(
    report: FleetReport, *, verbose: bool = False, color: bool = False, width: int | None = None
) -> str:
    """Return a heading, one row a host with the totals last, then a list of problems.

    ``verbose`` adds a table of each host's matched containers. The others change nothing.
    """
    dry = " (dry run)" if report.dry_run else ""
    when = iso_utc(report.started_ns)
    blocks = [f"### fleetsweep {_text(report.command)}{dry}, {_text(when)}, exit code {report.exit_code}"]
    rows = [*(row.cells for row in host_rows(report, whole=verbose)), totals_row(report)]
    blocks.append(_pipes(HOST_COLUMNS, rows))
    lines = problem_lines(report, verbose=verbose)
    if lines:
        blocks.append("\n".join(f"- {_text(line)}" for line in lines))
    if verbose:
        for host in report.hosts:
            containers = container_rows(host)
            if containers:
                blocks.append(f"#### {_text(host.host.name)}")
                blocks.append(_pipes(CONTAINER_COLUMNS, containers))
    return "\n\n".join(blocks) + "\n"


def _text(text: str) -> str:
    return markdown_text(text, LINE_LIMIT)


def _pipes(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    # Imported here: most commands print no table, and each shell completion would wait for it.
    from tabulate import tabulate

    cells = [[_text(cell) for cell in row] for row in rows]
    # Without disable_numparse a host called 1e5 would be printed as 100000.
    return tabulate(
        cells,
        [column.name for column in columns],
        tablefmt="pipe",
        disable_numparse=True,
        colalign=[column.align for column in columns],
    )
