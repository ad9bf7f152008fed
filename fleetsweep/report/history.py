"""What ``fleetsweep history``, ``show`` and ``hold --list`` print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from fleetsweep import exit_codes
from fleetsweep.model.container import SECOND
from fleetsweep.model.hold import Hold
from fleetsweep.model.host import Host
from fleetsweep.model.journal import JournalSize, PastHost, PastRun, Record
from fleetsweep.report.cells import NAME_LIMIT, NOTHING, SHORT_ID, fine_seconds, iso_utc
from fleetsweep.report.escape import printable, well_formed
from fleetsweep.report.fit import Column, Cut, name_column, number_column, table, text_column, wrap
from fleetsweep.report.groups import NAME_AT_LEAST, ROWS_FOLDED_ABOVE, grouped, impersonal, label, recorded_host
from fleetsweep.report.journal_size import size_line, size_object
from fleetsweep.report.json_report import JsonObject, rounded
from fleetsweep.report.problems import owner
from fleetsweep.report.removals import label_lines, removal_lines, removal_object

HISTORY_SCHEMA: Final = "fleetsweep.history/1"
HOLDS_SCHEMA: Final = "fleetsweep.holds/1"
RECORD_SCHEMA: Final = "fleetsweep.run/1"

_INDENT: Final = "    "
_RUN_COLUMNS: Final = (
    # The beginning of an id is enough for ``show``.
    Column("RUN", cut=Cut.END, least=17),
    Column("COMMAND", cut=Cut.MIDDLE, least=8),
    Column("STARTED", rank=4),
    number_column("TIME", rank=3),
    number_column("HOSTS"),
    number_column("STALE", rank=1),
    number_column("REMOVED", rank=2),
    number_column("EXIT"),
    text_column("NOTE"),
)
_HOST_COLUMNS: Final = (
    name_column("HOST"),
    Column("STATUS"),
    number_column("CONTAINERS", rank=2),
    number_column("MATCHED", rank=1),
    number_column("STALE"),
    number_column("REMOVED"),
    number_column("SKEW", rank=4),
    number_column("TIME", rank=3),
)
_GROUP_COLUMNS: Final = (Column("HOST", cut=Cut.MIDDLE, least=18), *_HOST_COLUMNS[1:], text_column("NOTE"))
_HOLD_COLUMNS: Final = (
    name_column("HOST"),
    Column("ID", rank=2),
    name_column("NAME"),
    Column("UNTIL"),
    Column("BY", cut=Cut.MIDDLE, least=6, rank=1),
    text_column("REASON"),
)


def render_history(
    runs: Sequence[PastRun], format: str, width: int | None = None, size: JournalSize | None = None
) -> str:
    """Return one row a run, then the journal's size if it is given, as ``table`` or ``json``; ends with one newline."""
    if format == "json":
        journal = {"journal": size_object(size)} if size else {}
        return _dump({"schema": HISTORY_SCHEMA, "runs": [_run_object(run) for run in runs], **journal})
    lines = table(_RUN_COLUMNS, [_run_row(run) for run in runs], width)
    return "\n".join([*lines, *(["", *wrap(size_line(size), width, _INDENT)] if size else [])]) + "\n"


def render_record(record: Record, format: str, width: int | None = None, report: JsonObject | None = None) -> str:
    """Return one run, its hosts and its removals, as ``table`` or ``json``, ending with one newline.

    ``report`` is the run's own, for JSON; None where it is not kept.
    """
    if format == "json":
        return _dump(
            {
                "schema": RECORD_SCHEMA,
                "run": _run_object(record.run),
                "hosts": [_host_object(host) for host in record.hosts],
                "removals": [removal_object(removal) for removal in record.removals],
                "report": report,
            }
        )
    blocks = [wrap(_head(record), width, _INDENT)]
    if record.hosts:
        blocks.append(_host_table(record, width))
    if record.removals:
        blocks += [removal_lines(record.removals, width), label_lines(record.removals, width)]
    # After the tables: in a column, one long message would make every row as wide.
    blocks.append([line for error in _errors(record.hosts) for line in wrap(error, width, _INDENT)])
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _host_table(record: Record, width: int | None) -> list[str]:
    """Return one row a host; in a large fleet, one for all hosts whose rows are equal, as in the run's own table."""
    if len(record.hosts) <= ROWS_FOLDED_ABOVE:
        return table(_HOST_COLUMNS, [_host_row(host, record.run) for host in record.hosts], width)
    limit = NAME_LIMIT if width is None else max(NAME_AT_LEAST, width // 4)
    groups = grouped(
        record.hosts, lambda host: (host.status, host.skew_s is None, host.stale, host.removed, host.trouble is None)
    )
    return table(_GROUP_COLUMNS, [_group_row(group, record.run, limit) for group in groups], width)


def _group_row(hosts: Sequence[PastHost], run: PastRun, name_limit: int) -> list[str]:
    """Return the cells of hosts that share a row. The counts are sums; the skew and the time are the largest."""
    if len(hosts) == 1:
        return [*_host_row(hosts[0], run), ""]
    skews = [host.skew_s for host in hosts if host.skew_s is not None]
    summed = replace(
        hosts[0],
        containers=sum(host.containers for host in hosts),
        matched=sum(host.matched for host in hosts),
        stale=sum(host.stale for host in hosts),
        removed=sum(host.removed for host in hosts),
        skew_s=max(skews, key=abs) if skews else None,
        duration_s=max(host.duration_s for host in hosts),
    )
    name = label([Host(host.name, host.name) for host in hosts], name_limit, NAME_LIMIT)
    number = f"{len(hosts)} hosts"
    return [name, *_host_row(summed, run)[1:], number if name != number else ""]


def _errors(hosts: Sequence[PastHost]) -> list[str]:
    """Return a line for each error, with the hosts that had the same one."""
    failed = [(recorded_host(host.name, host.endpoint), host.trouble) for host in hosts if host.trouble]
    groups = grouped(failed, lambda each: impersonal(each[1], each[0]))
    return [
        f"{owner([host for host, _ in group], alike=len({text for _, text in group}) == 1)}: {printable(group[0][1])}"
        for group in groups
    ]


def render_holds(holds: Sequence[Hold], format: str, width: int | None = None) -> str:
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
    return "\n".join(table(_HOLD_COLUMNS, rows, width)) + "\n"


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


def _head(record: Record) -> str:
    run = record.run
    head = f"{printable(run.id, NAME_LIMIT)}: {_command(run)}, started {iso_utc(run.started_ns)}, "
    if run.exit_code is None:
        done = ". The hosts below were done by then" if record.hosts else ""
        return f"{head}did not end: it is still running, or was killed{done}"
    return head + f"took {_duration(run)}, exit code {run.exit_code}: {exit_codes.meaning(run.exit_code)}"


def _host_row(host: PastHost, run: PastRun) -> list[str]:
    found = [NOTHING] * 5
    if host.skew_s is not None:
        counts = map(str, (host.containers, host.matched, host.stale))
        found = [*counts, _removed(host.removed, run), fine_seconds(host.skew_s)]
    return [printable(host.name, NAME_LIMIT), printable(host.status), *found, fine_seconds(host.duration_s)]


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
