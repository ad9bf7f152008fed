"""``--format table``: for an operator at a terminal, or in mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from fleetsweep.model.report import FleetReport
from fleetsweep.model.survey import Status
from fleetsweep.report.cells import (
    CONTAINER_ALIGN,
    CONTAINER_HEADERS,
    HOST_ALIGN,
    HOST_HEADERS,
    NAME_LIMIT,
    container_rows,
    host_row,
    totals_row,
)
from fleetsweep.report.escape import printable
from fleetsweep.report.problems import problem_lines

WIDTH: Final = 100
"""Columns that the table should fit into; notes are cut to make it fit."""

NOTE_AT_LEAST: Final = 20
"""Columns that a note always gets."""

_STATUS: Final = HOST_HEADERS.index("STATUS")
_GAP: Final = "  "
_RESET: Final = "\x1b[0m"
_COLORS: Final[Mapping[Status, str]] = {
    Status.OK: "\x1b[32m",
    Status.UNREACHABLE: "\x1b[31m",
    Status.GUARDED: "\x1b[33m",
    Status.FAILED: "\x1b[31m",
    Status.INTERRUPTED: "\x1b[35m",
}


def render_table(report: FleetReport, *, verbose: bool = False, color: bool = False) -> str:
    """Return one row a host, the totals, then a line for each problem.

    ``verbose`` puts each host's matched containers first, so that what matters most is still the last thing on the
    screen. ``color`` colours the statuses.
    """
    blocks: list[list[str]] = []
    if verbose:
        for host in report.hosts:
            containers = container_rows(host)
            if containers:
                title = f"{printable(host.host.name, NAME_LIMIT)}:"
                blocks.append([title, *grid(CONTAINER_HEADERS, containers, CONTAINER_ALIGN)])
    rows = [*(host_row(host, report) for host in report.hosts), totals_row(report)]
    width = _shorten_notes(rows)
    if color:
        for host, row in zip(report.hosts, rows, strict=False):  # The totals have no host.
            row[_STATUS] = f"{_COLORS[host.status]}{row[_STATUS]}{_RESET}"
    head, *body, totals = grid(HOST_HEADERS, rows, HOST_ALIGN)
    rule = "-" * width
    blocks.append([head, rule, *body, rule, totals])
    lines = problem_lines(report, verbose=verbose)
    if lines:
        blocks.append(lines)
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _shorten_notes(rows: list[list[str]]) -> int:
    """Cut the notes so that the table fits WIDTH, if the other columns leave room; return the table's width."""
    columns = zip(HOST_HEADERS[:-1], *(row[:-1] for row in rows), strict=True)
    taken = sum(max(map(len, column)) + len(_GAP) for column in columns)
    room = max(NOTE_AT_LEAST, WIDTH - taken)
    for row in rows:
        row[-1] = printable(row[-1], room)
    return taken + max(len(HOST_HEADERS[-1]), *(len(row[-1]) for row in rows))


def grid(headers: Sequence[str], rows: Sequence[Sequence[str]], align: Sequence[str]) -> list[str]:
    """Return the lines of a plain table; ``align`` is left or right for each column."""
    # Imported here: most commands print no table, and each shell completion would wait for it.
    from tabulate import tabulate

    # The headers go in as a row: tabulate would pad headers by two columns each.
    # Without disable_numparse a host called 1e5 would be printed as 100000.
    text = tabulate([headers, *rows], tablefmt="plain", disable_numparse=True, colalign=align)
    return [line.rstrip() for line in text.splitlines()]
