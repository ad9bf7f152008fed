"""What ``fleetsweep doctor`` prints: one row a host, one column a phase, and a command to try for each failed host."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from fleetsweep.errors import Phase
from fleetsweep.model.decision import GuardName
from fleetsweep.model.host import Connection
from fleetsweep.model.report import Checkup
from fleetsweep.report.cells import NAME_LIMIT, NOTHING, fine_seconds
from fleetsweep.report.escape import printable, well_formed
from fleetsweep.report.json_report import engine_object, fault_object, guard_object, rounded
from fleetsweep.report.problems import guard_line
from fleetsweep.report.table import grid

SCHEMA: Final = "fleetsweep.doctor/1"
CELL_LIMIT: Final = 80
COMMAND_LIMIT: Final = 2000
_SHORT_KEY: Final = 15

_CLOCK: Final = "CLOCK"
_GUARD_COLUMNS: Final[Mapping[GuardName, str]] = {
    GuardName.SKEW: _CLOCK,
    GuardName.IDENTITY: Phase.ENGINE.value.upper(),
}
_COLUMNS: Final = (*(phase.value.upper() for phase in Phase), _CLOCK)


def render_checkups(checkups: Sequence[Checkup], exit_code: int, format: str, *, verbose: bool = False) -> str:
    """Return the checkups; ``format`` is table or json. ``verbose`` shows keys and ids whole."""
    if format == "json":
        return _as_json(checkups, exit_code)
    rows = [[printable(item.host.name, NAME_LIMIT), *_cells(item, verbose=verbose)] for item in checkups]
    headers = ("HOST", *_COLUMNS)
    lines = grid(headers, rows, ["left"] * len(headers))
    blocks = [_advice(item) for item in checkups if item.fault is not None or item.guard is not None]
    return "\n\n".join("\n".join(block) for block in [lines, *blocks]) + "\n"


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
        parts = [item.engine.kind, item.engine.server.partition("/")[2].partition(" ")[0], f"API {item.engine.api}"]
        if verbose:
            parts.append(item.engine.id or "without an id")
        passed[Phase.ENGINE.value.upper()] = " ".join(filter(None, parts))
    if item.skew_s is not None and item.round_trip_s is not None:
        sign = "+" if item.skew_s > 0 else ""
        passed[_CLOCK] = f"{sign}{fine_seconds(item.skew_s)}, {item.round_trip_s * 1000:.1f} ms"
    return passed


def _facts_text(phase: Phase, facts: Mapping[str, str], *, verbose: bool) -> str:
    """Return a phase's facts on one line. The user's own key is cut: its first characters identify it to its owner."""
    shown = dict(facts)
    if "through" in shown:
        return f"through {shown['through']}"
    if phase is Phase.AUTH and not verbose and len(shown.get("key", "")) > _SHORT_KEY:
        shown["key"] = f"{shown['key'][:_SHORT_KEY]}…"
    return " ".join(filter(None, shown.values()))


def _advice(item: Checkup) -> list[str]:
    name = printable(item.host.name, NAME_LIMIT)
    if item.fault is not None:
        where = item.fault.phase.value if item.fault.phase is not None else printable(item.fault.kind, CELL_LIMIT)
        lines = [f"{name}: {item.status.value} ({where}): {printable(item.fault.message)}"]
        if item.fault.remedy:
            lines.append(f"  {printable(item.fault.remedy)}")
    else:
        lines = [f"{name}: {guard_line(item.guard)}"] if item.guard is not None else []
    return [*lines, *([f"  $ {printable(item.command, COMMAND_LIMIT)}"] if item.command else [])]


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
