"""What ``fleetsweep history``, ``show`` and ``hold --list`` print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from fleetsweep import exit_codes
from fleetsweep.model.container import SECOND
from fleetsweep.model.journal import Hold, PastHost, PastRemoval, PastRun, Record
from fleetsweep.report.cells import NAME_LIMIT, NOTHING, SHORT_ID, fine_seconds, iso_utc
from fleetsweep.report.escape import printable, well_formed
from fleetsweep.report.json_report import JsonObject, rounded
from fleetsweep.report.table import grid

HISTORY_SCHEMA: Final = "fleetsweep.history/1"
HOLDS_SCHEMA: Final = "fleetsweep.holds/1"
RECORD_SCHEMA: Final = "fleetsweep.run/1"

_RUN_HEADERS: Final = ("RUN", "COMMAND", "STARTED", "TIME", "HOSTS", "STALE", "REMOVED", "EXIT", "NOTE")
_RUN_ALIGN: Final = ("left", "left", "left", *("right",) * 5, "left")
_HOST_HEADERS: Final = ("HOST", "STATUS", "CONTAINERS", "MATCHED", "STALE", "REMOVED", "SKEW", "TIME")
_HOST_ALIGN: Final = ("left", "left", *("right",) * 6)
_REMOVAL_HEADERS: Final = ("HOST", "ID", "NAME", "ASKED", "OUTCOME", "DETAIL")
_REMOVAL_ALIGN: Final = ("left",) * 6


def render_history(runs: Sequence[PastRun], format: str) -> str:
    """Return one row a run, as ``table`` or ``json``, ending with one newline."""
    if format == "json":
        return _dump({"schema": HISTORY_SCHEMA, "runs": [_run_object(run) for run in runs]})
    return "\n".join(grid(_RUN_HEADERS, [_run_row(run) for run in runs], _RUN_ALIGN)) + "\n"


def render_record(record: Record, format: str) -> str:
    """Return one run, its hosts and its removals, as ``table`` or ``json``, ending with one newline."""
    if format == "json":
        return _dump(
            {
                "schema": RECORD_SCHEMA,
                "run": _run_object(record.run),
                "hosts": [_host_object(host) for host in record.hosts],
                "removals": [_removal_object(removal) for removal in record.removals],
            }
        )
    blocks = [[_head(record.run)]]
    if record.hosts:
        blocks.append(grid(_HOST_HEADERS, [_host_row(host, record.run) for host in record.hosts], _HOST_ALIGN))
    if record.removals:
        blocks.append(grid(_REMOVAL_HEADERS, [_removal_row(each) for each in record.removals], _REMOVAL_ALIGN))
    # After the tables: in a column, one long message would make every row as wide.
    errors = [f"{printable(host.name, NAME_LIMIT)}: {printable(host.trouble)}" for host in record.hosts if host.trouble]
    return "\n\n".join("\n".join(block) for block in [*blocks, errors] if block) + "\n"


def render_holds(holds: Sequence[Hold], format: str) -> str:
    """Return one row a hold, as ``table`` or ``json``, ending with one newline."""
    if format == "json":
        return _dump({"schema": HOLDS_SCHEMA, "holds": [_hold_object(hold) for hold in holds]})
    rows = [
        [
            printable(hold.host, NAME_LIMIT),
            printable(hold.container_id[:SHORT_ID]),
            printable(hold.name, NAME_LIMIT),
            iso_utc(hold.until_ns),
            printable(hold.by, NAME_LIMIT),
            printable(hold.reason),
        ]
        for hold in holds
    ]
    return "\n".join(grid(("HOST", "ID", "NAME", "UNTIL", "BY", "REASON"), rows, ("left",) * 6)) + "\n"


def _command(run: PastRun) -> str:
    return printable(run.command) + (" --dry-run" if run.dry_run else "")


def _duration(run: PastRun) -> str:
    return NOTHING if run.finished_ns is None else fine_seconds((run.finished_ns - run.started_ns) / SECOND)


def _run_row(run: PastRun) -> list[str]:
    ended = run.finished_ns is not None
    notes = {"not ended": not ended, f"{run.unknown} unknown": run.unknown}
    return [
        printable(run.id, NAME_LIMIT),
        _command(run),
        iso_utc(run.started_ns),
        _duration(run),
        f"{run.ok}/{run.hosts} ok" if ended else NOTHING,
        str(run.stale) if ended else NOTHING,
        _removed(run.removed, run),
        NOTHING if run.exit_code is None else str(run.exit_code),
        ", ".join(note for note, holds in notes.items() if holds),
    ]


def _removed(count: int, run: PastRun) -> str:
    # A 0 would be read as "tried, and removed none".
    return NOTHING if run.command == "audit" or run.dry_run else str(count)


def _head(run: PastRun) -> str:
    head = f"{printable(run.id, NAME_LIMIT)}: {_command(run)}, started {iso_utc(run.started_ns)}, "
    if run.exit_code is None:
        return head + "did not end: it is still running, or was killed"
    return head + f"took {_duration(run)}, exit code {run.exit_code}: {exit_codes.meaning(run.exit_code)}"


def _host_row(host: PastHost, run: PastRun) -> list[str]:
    found = [NOTHING] * 5
    if host.skew_s is not None:
        counts = map(str, (host.containers, host.matched, host.stale))
        found = [*counts, _removed(host.removed, run), fine_seconds(host.skew_s)]
    return [printable(host.name, NAME_LIMIT), printable(host.status), *found, fine_seconds(host.duration_s)]


def _removal_row(removal: PastRemoval) -> list[str]:
    detail = [printable(removal.error)] if removal.error else []
    if removal.settled:
        detail.append(f"{removal.settled}, as run {printable(removal.settled_run or '', NAME_LIMIT)} found")
    kind, colon, _ = removal.container_id.partition(":")
    return [
        printable(removal.host, NAME_LIMIT),
        printable(kind if colon else removal.container_id[:SHORT_ID]),
        printable(removal.name, NAME_LIMIT),
        iso_utc(removal.at_ns),
        removal.outcome or "unknown",
        "; ".join(detail),
    ]


def _run_object(run: PastRun) -> JsonObject:
    return {
        "run_id": well_formed(run.id),
        "command": well_formed(run.command),
        "dry_run": run.dry_run,
        "started_at": iso_utc(run.started_ns),
        "finished_at": None if run.finished_ns is None else iso_utc(run.finished_ns),
        "exit_code": run.exit_code,
        "hosts": run.hosts,
        "ok": run.ok,
        "stale": run.stale,
        "removed": run.removed,
        "unknown": run.unknown,
    }


def _host_object(host: PastHost) -> JsonObject:
    return {
        "host": well_formed(host.name),
        "status": well_formed(host.status),
        "trouble": host.trouble and well_formed(host.trouble),
        "clock_skew_s": None if host.skew_s is None else rounded(host.skew_s, 1),
        "duration_s": rounded(host.duration_s, 3),
        "containers": host.containers,
        "matched": host.matched,
        "stale": host.stale,
        "removed": host.removed,
    }


def _removal_object(removal: PastRemoval) -> JsonObject:
    return {
        "host": well_formed(removal.host),
        "id": well_formed(removal.container_id),
        "name": well_formed(removal.name),
        "at": iso_utc(removal.at_ns),
        "outcome": removal.outcome or "unknown",
        "error": removal.error and well_formed(removal.error),
        "settled": removal.settled,
        "settled_by": removal.settled_run and well_formed(removal.settled_run),
    }


def _hold_object(hold: Hold) -> JsonObject:
    return {
        "host": well_formed(hold.host),
        "id": well_formed(hold.container_id),
        "name": well_formed(hold.name),
        "since": iso_utc(hold.since_ns),
        "until": iso_utc(hold.until_ns),
        "by": well_formed(hold.by),
        "reason": well_formed(hold.reason),
    }


def _dump(value: JsonObject) -> str:
    return json.dumps(value, indent=2, allow_nan=False) + "\n"
