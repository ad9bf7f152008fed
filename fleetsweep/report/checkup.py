"""What ``fleetsweep doctor`` prints: one row a host, one column a phase, and a command to try for each failed host."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

from fleetsweep.errors import Phase
from fleetsweep.model.checkup import Checkup
from fleetsweep.model.decision import GuardName
from fleetsweep.model.host import Connection
from fleetsweep.model.survey import Engine
from fleetsweep.report.cells import NAME_LIMIT, NOTHING, fine_seconds
from fleetsweep.report.escape import printable, well_formed
from fleetsweep.report.fit import (
    Column,
    Cut,
    cut_end,
    fit,
    lay_out,
    name_column,
    table,
    table_width,
    wrap,
    wrap_command,
    wrap_remedy,
)
from fleetsweep.report.groups import ROWS_FOLDED_ABOVE, grouped, impersonal, label
from fleetsweep.report.json_report import engine_object, fault_object, guard_object, rounded
from fleetsweep.report.problems import guard_line, owner

SCHEMA: Final = "fleetsweep.doctor/1"
CELL_LIMIT: Final = 80
COMMAND_LIMIT: Final = 2000
_SHORT_KEY: Final = 15

_CLOCK: Final = "CLOCK"
_GUARD_COLUMNS: Final[Mapping[GuardName, str]] = {
    GuardName.SKEW: _CLOCK,
    GuardName.IDENTITY: Phase.ENGINE.value.upper(),
}
_COLUMNS: Final = (*(phase.value.upper() for phase in Phase if phase is not Phase.ZONE), _CLOCK)
_WAY: Final[Mapping[str, str]] = {
    Phase.RESOLVE.value.upper(): "",
    Phase.AUTH.value.upper(): "as ",
    Phase.HOST_KEY.value.upper(): "host key ",
    Phase.TUNNEL.value.upper(): "",
    Phase.CONNECT.value.upper(): "",
}
"""The columns of the way to the engine, and what is put before their cells in a sentence."""
_FINGERPRINT: Final = re.compile(r"(SHA256:[A-Za-z0-9+/]{8})[A-Za-z0-9+/]+")
_TABLE: Final = (name_column("HOST"), *map(Column, _COLUMNS))
HOSTS_OF_TWO_LINES: Final = 10
"""Hosts that have two lines each where the table is too wide; of more, equal results share a line."""
_SUMMARY: Final = (name_column("HOST"), Column("STATUS"), Column("RESULT", cut=Cut.END, least=20))
_INDENT: Final = "    "
_PROMPT: Final = "  $ "


def render_checkups(
    checkups: Sequence[Checkup], exit_code: int, format: str, *, verbose: bool = False, width: int | None = None
) -> str:
    """Return the checkups; ``format`` is table or json. ``verbose`` shows keys and ids whole.

    The table has one row a host, or two lines a host where its rows are wider than ``width``. Many hosts with equal
    results share a line.
    """
    if format == "json":
        return _as_json(checkups, exit_code)
    rows = [[printable(item.host.name, NAME_LIMIT), *_cells(item, verbose=verbose)] for item in checkups]
    wide = width is not None and table_width(_TABLE, rows) > width
    most = math.inf if verbose else HOSTS_OF_TWO_LINES if wide else ROWS_FOLDED_ABOVE
    if wide or len(checkups) > most:
        lines = _summary(checkups, width, verbose=verbose, whole=len(checkups) <= most)
    else:
        lines = table(_TABLE, rows)
    failed = [item for item in checkups if item.fault is not None or item.guard is not None]
    groups = [[item] for item in failed] if verbose else grouped(failed, _cause)
    blocks = [_advice(group, width) for group in groups]
    return "\n\n".join("\n".join(block) for block in [lines, *blocks]) + "\n"


def _summary(checkups: Sequence[Checkup], width: int | None, *, verbose: bool, whole: bool) -> list[str]:
    """Return two lines a host: its result, and what was seen before. Unless ``whole``, equal results share a line."""
    groups = (
        [[item] for item in checkups]
        if whole
        else grouped(checkups, lambda item: (item.status, _result(item, verbose=verbose)))
    )
    limit = NAME_LIMIT if width is None else max(15, width // 4)
    rows = [
        [
            label([item.host for item in group], limit, NAME_LIMIT),
            group[0].status.value,
            _result_of(group, verbose=verbose),
        ]
        for group in groups
    ]
    columns, cells = fit(_SUMMARY, rows, width)
    head, *results = lay_out(columns, cells)
    lines = [head]
    for group, result in zip(groups, results, strict=True):
        lines.append(result)
        seen = _seen_line(group[0], verbose=verbose) if len(group) == 1 else ""
        if seen:
            text = _INDENT + seen
            lines += wrap(text, width, _INDENT) if verbose or width is None else [cut_end(text, width)]
    return lines


def _result(item: Checkup, *, verbose: bool) -> str:
    """Return how far a host was reached, without what differs from host to host."""
    column = _failed_column(item, _passed(item, verbose=verbose))
    if item.fault is not None and column is not None:
        return f"failed at {column.lower()}: {printable(item.fault.kind, CELL_LIMIT)}"
    guard = f"{item.guard.name.value}: " if item.guard is not None else ""
    return guard + (printable(" ".join(_engine_words(item.engine)), CELL_LIMIT) if item.engine else NOTHING)


def _result_of(group: Sequence[Checkup], *, verbose: bool) -> str:
    """Return the result of hosts that share a line, with their number or the one host's clock."""
    first = group[0]
    result = _result(first, verbose=verbose)
    if len(group) > 1:
        skews = [abs(item.skew_s) for item in group if item.skew_s is not None and item.fault is None]
        clocks = f", clocks within {fine_seconds(max(skews))}" if skews else ""
        return f"{len(group)} hosts, {result}{clocks}"
    return f"{result}, clock {_offset(first.skew_s)}" if first.fault is None and first.skew_s is not None else result


def _seen_line(item: Checkup, *, verbose: bool) -> str:
    """Return what was seen on the way to the engine; what identifies the box and the user first."""
    passed = _passed(item, verbose=verbose)
    parts = {
        f"{label}{printable(passed[column], CELL_LIMIT)}": None for column, label in _WAY.items() if column in passed
    }
    if item.engine is not None:
        parts[f"API {printable(item.engine.api, CELL_LIMIT)}"] = None
    text = ", ".join(parts)
    return text if verbose else _FINGERPRINT.sub(r"\1…", text)


def _cells(item: Checkup, *, verbose: bool) -> list[str]:
    """Return one cell a column; the columns after the failed phase are empty."""
    passed = _passed(item, verbose=verbose)
    failed = _failed_column(item, passed)
    cells = []
    for column in _COLUMNS:
        if column == failed and item.fault is not None:
            cells.append(f"failed: {printable(item.fault.kind, CELL_LIMIT)}")
            break
        cells.append(printable(passed[column], CELL_LIMIT) if column in passed else NOTHING)
    cells += [NOTHING] * (len(_COLUMNS) - len(cells))
    guard_column = _GUARD_COLUMNS.get(item.guard.name) if item.guard is not None else None
    if guard_column is not None:
        cells[_COLUMNS.index(guard_column)] += " (guarded)"
    return cells


def _failed_column(item: Checkup, passed: Mapping[str, str]) -> str | None:
    """Return the column of the failed phase. A host that timed out may name none: take the first not passed."""
    if item.fault is None:
        return None
    if item.fault.phase is not None:
        return item.fault.phase.value.upper()
    return next((column for column in _COLUMNS if column not in passed), _CLOCK)


def _passed(item: Checkup, *, verbose: bool) -> dict[str, str]:
    """Return the cell of each phase that was passed, by its column."""
    passed: dict[str, str] = {}
    if item.host.connection is Connection.LOCAL:
        passed.update({phase.value.upper(): "local" for phase in (Phase.RESOLVE, Phase.CONNECT)})
    for phase, facts in item.seen.items():
        passed[phase.value.upper()] = _facts_text(phase, facts, verbose=verbose)
    if item.engine is not None:
        parts = [*_engine_words(item.engine), f"API {item.engine.api}"]
        if verbose:
            parts.append(item.engine.id or "without an id")
        passed[Phase.ENGINE.value.upper()] = " ".join(parts)
    if item.skew_s is not None and item.round_trip_s is not None:
        passed[_CLOCK] = f"{_offset(item.skew_s)}, {item.round_trip_s * 1000:.1f} ms"
    return passed


def _engine_words(engine: Engine) -> list[str]:
    """Return the engine's kind and version."""
    return [word for word in (engine.kind, engine.server.partition("/")[2].partition(" ")[0]) if word]


def _offset(skew_s: float) -> str:
    """Return how far a clock is ahead (+) or behind (-)."""
    return ("+" if skew_s > 0 else "") + fine_seconds(skew_s)


def _facts_text(phase: Phase, facts: Mapping[str, str], *, verbose: bool) -> str:
    """Return a phase's facts on one line. The user's own key is cut: its first characters identify it to its owner."""
    shown = dict(facts)
    if "through" in shown:
        return f"through {shown['through']}"
    if phase is Phase.AUTH and not verbose and len(shown.get("key", "")) > _SHORT_KEY:
        shown["key"] = f"{shown['key'][:_SHORT_KEY]}…"
    return " ".join(filter(None, shown.values()))


def _cause(item: Checkup) -> str:
    """Return what is equal in hosts that share a block of advice."""
    return impersonal("\n".join(_cause_lines(item)), item.host)


def _cause_lines(item: Checkup) -> list[str]:
    """Return the fault or guard, and the remedy."""
    if item.fault is None:
        return [guard_line(item.guard)] if item.guard is not None else []
    where = item.fault.phase.value if item.fault.phase is not None else printable(item.fault.kind, CELL_LIMIT)
    lines = [f"{item.status.value} ({where}): {printable(item.fault.message)}"]
    return [*lines, printable(item.fault.remedy)] if item.fault.remedy else lines


def _advice(group: Sequence[Checkup], width: int | None) -> list[str]:
    """Return the fault, the remedy and the command of hosts with one cause; the first host's stand for all."""
    first = group[0]
    causes = {tuple(_cause_lines(item)) for item in group}
    cause, *remedy = _cause_lines(first)
    alike = len(causes) == 1 and len({item.command for item in group}) == 1
    lines = wrap(f"{owner([item.host for item in group], alike=alike)}: {cause}", width, _INDENT)
    for text in remedy:
        lines += wrap_remedy(f"  {text}", width, "  ")
    if first.command:
        lines += wrap_command(printable(first.command, COMMAND_LIMIT), width, _PROMPT, _INDENT)
    return lines


def _as_json(checkups: Sequence[Checkup], exit_code: int) -> str:
    return (
        json.dumps(
            {
                "schema": SCHEMA,
                "exit_code": exit_code,
                "hosts": [
                    {
                        "host": well_formed(item.host.name),
                        "status": item.status.value,
                        "error": fault_object(item.fault),
                        "guard": guard_object(item.guard),
                        "command": well_formed(item.command) or None,
                        "phases": {
                            phase.value: {key: well_formed(value) for key, value in item.seen[phase].items()}
                            for phase in Phase
                            if phase in item.seen
                        },
                        "engine": engine_object(item.engine) if item.engine is not None else None,
                        "containers": item.containers,
                        "clock_skew_s": rounded(item.skew_s, 1) if item.skew_s is not None else None,
                        "round_trip_s": rounded(item.round_trip_s, 4) if item.round_trip_s is not None else None,
                        "duration_s": rounded(item.duration_s, 3),
                    }
                    for item in checkups
                ],
            },
            indent=2,
            ensure_ascii=True,
            allow_nan=False,
        )
        + "\n"
    )
