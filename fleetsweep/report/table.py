"""``--format table``: for an operator at a terminal, or in mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fleetsweep.model.report import FleetReport
from fleetsweep.model.survey import Status
from fleetsweep.report.cells import (
    CONTAINER_COLUMNS,
    HOST_COLUMNS,
    NAME_LIMIT,
    container_rows,
    totals_row,
)
from fleetsweep.report.escape import printable
from fleetsweep.report.fit import (
    GAP,
    cell_width,
    cut_end,
    cut_middle,
    fit,
    lay_out,
    omitted_line,
    table_width,
    wrap,
    wrap_remedy,
)
from fleetsweep.report.groups import NAME_AT_LEAST
from fleetsweep.report.host_rows import host_rows
from fleetsweep.report.problems import problem_lines

WIDTH: Final = 100
"""Cells that the table should fit into where the output has no width of its own; notes are cut to make it fit."""

NOTE_AT_LEAST: Final = 20
"""Cells that a note always gets there."""

_INDENT: Final = "    "
_RESET: Final = "\x1b[0m"
_COLORS: Final[Mapping[Status, str]] = {
    Status.OK: "\x1b[32m",
    Status.UNREACHABLE: "\x1b[31m",
    Status.GUARDED: "\x1b[33m",
    Status.FAILED: "\x1b[31m",
    Status.INTERRUPTED: "\x1b[35m",
}


def render_table(report: FleetReport, *, verbose: bool = False, color: bool = False, width: int | None = None) -> str:
    """Return one row a host, the totals, then a line for each problem. Many hosts share a row where theirs are equal.

    ``verbose`` puts each host's matched containers first, so that what matters most is still the last thing on the
    screen, and gives each host its own row. ``color`` colours the statuses. No line is wider than ``width``.
    """
    blocks: list[list[str]] = []
    if verbose:
        blocks += _container_blocks(report, width)
    blocks.append(_host_block(report, width, verbose=verbose, color=color))
    lines = problem_lines(report, verbose=verbose)
    if lines:
        blocks.append([piece for line in lines for piece in wrap_problem(line, width)])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _container_blocks(report: FleetReport, width: int | None) -> list[list[str]]:
    """Return a block for each host that has matched containers: its name and their table."""
    blocks: list[list[str]] = []
    shown_always = [*CONTAINER_COLUMNS]
    for host in report.hosts:
        containers = container_rows(host)
        if containers:
            shown, rows = fit(CONTAINER_COLUMNS, containers, width)
            shown_always = [column for column in shown_always if column in shown]
            name = printable(host.host.name, NAME_LIMIT)
            title = name if width is None else cut_middle(name, width - 1)
            blocks.append([f"{title}:", *lay_out(shown, rows)])
    omitted = omitted_line(CONTAINER_COLUMNS, shown_always, width)
    return [*blocks, omitted] if omitted else blocks


def _host_block(report: FleetReport, width: int | None, *, verbose: bool, color: bool) -> list[str]:
    # A folded name that must be cut loses its last names, not its middle.
    limit = NAME_LIMIT if width is None else max(NAME_AT_LEAST, width // 4)
    hosts = host_rows(report, whole=verbose, name_limit=limit)
    rows = [*(row.cells for row in hosts), totals_row(report)]
    if width is None:
        _shorten_notes(rows)
    shown, rows = fit(HOST_COLUMNS, rows, width)
    rule = "-" * table_width(shown, rows)
    status = next((at for at, column in enumerate(shown) if column.name == "STATUS"), None)
    if color and status is not None:
        for host, row in zip(hosts, rows, strict=False):  # The totals have no host.
            row[status] = f"{_COLORS[host.status]}{row[status]}{_RESET}"
    head, *body, totals = lay_out(shown, rows)
    return [head, rule, *body, rule, totals, *omitted_line(HOST_COLUMNS, shown, width)]


def _shorten_notes(rows: list[list[str]]) -> None:
    """Cut the notes so that the table fits WIDTH, if the other columns leave room."""
    taken = table_width(HOST_COLUMNS[:-1], [row[:-1] for row in rows]) + len(GAP)
    room = max(NOTE_AT_LEAST, WIDTH - taken)
    for row in rows:
        row[-1] = cut_end(row[-1], room)


def wrap_problem(line: str, width: int | None) -> list[str]:
    """Return a problem's line within ``width``, with the remedy on a line of its own where they don't fit on one."""
    if width is None or cell_width(line) <= width:
        return [line]
    problem, arrow, remedy = line.rpartition(" -> ")
    if not arrow:
        return wrap(line, width, _INDENT)
    return [*wrap(problem, width, _INDENT), *wrap_remedy(f"{_INDENT}-> {remedy}", width, f"{_INDENT}   ")]
