"""Columns and cells that the table and the Markdown report share, as printable text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from fleetsweep.model.container import SECOND, UNREADABLE
from fleetsweep.model.decision import AgeFrom, Decision, Guard, GuardName, HostPlan, Reason
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.report import FleetReport, HostReport
from fleetsweep.model.survey import Status
from fleetsweep.report.escape import printable
from fleetsweep.report.fit import Column, Cut, name_column, number_column, text_column
from fleetsweep.report.groups import label
from fleetsweep.report.totals import HostTotals, counted_plan, fleet_totals, host_totals, sum_of

if TYPE_CHECKING:
    from fleetsweep.model.run_scope import Resource

HOST_COLUMNS: Final = (
    replace(name_column("HOST"), least=15),
    Column("STATUS"),
    number_column("CONTAINERS", rank=4),
    number_column("MATCHED", rank=3),
    number_column("STALE"),
    number_column("REMOVED", rank=1),
    number_column("OLDEST", rank=2),
    number_column("SKEW", rank=6),
    number_column("TIME", rank=5),
    # The lines below the table have what is cut here.
    Column("NOTE", cut=Cut.END, least=14),
)

CONTAINER_COLUMNS: Final = (
    Column("ID"),
    name_column("NAME"),
    name_column("IMAGE", rank=4),
    Column("STATE", rank=6),
    number_column("AGE"),
    Column("FROM", rank=7),
    Column("VERDICT", rank=5),
    Column("REASON"),
    Column("OUTCOME", rank=2),
    text_column("DETAIL", rank=3),
)

NOTHING: Final = "-"
"""The cell of a value that is unknown or does not apply."""

SHORT_ID: Final = 12
"""Hex digits of an id, as Docker prints them."""
NAME_LIMIT: Final = 64
IMAGE_LIMIT: Final = 80
WORD_LIMIT: Final = 24

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOTABLE_AGE_GAP_S: Final = 3_600
"""Show the creation time of a container that was created this much earlier than it was started."""


def humanize(seconds: float | None) -> str:
    """Return a duration in at most two neighbouring units, rounded down: ``3d``, ``2h10m``, ``45s``; ``-`` for None."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    rest = int(abs(seconds))
    for index, (size, unit) in enumerate(_UNITS[:-1]):
        if rest >= size:
            smaller, smaller_unit = _UNITS[index + 1]
            minor = rest % size // smaller
            text = f"{rest // size}{unit}" + (f"{minor}{smaller_unit}" if minor else "")
            break
    else:
        text = f"{rest}s"
    return f"-{text}" if seconds < 0 and rest else text


def fine_seconds(seconds: float) -> str:
    """Return a short duration or an offset: with tenths below ten seconds, else as ``humanize`` does."""
    if not math.isfinite(seconds) or abs(seconds) >= 10:
        return humanize(seconds)
    return f"{round(seconds, 1) + 0.0:.1f}s"  # + 0.0: there is no minus zero


def iso_utc(time_ns: int) -> str:
    """Return nanoseconds since the epoch as ``2026-06-15T07:00:00Z``, rounded down to the second."""
    try:
        time = _EPOCH + timedelta(seconds=time_ns // SECOND)
    except OverflowError:  # An engine may send any number.
        return "beyond the calendar"
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def host_row(host: HostReport, report: FleetReport) -> list[str]:
    """Return one host's cells, under HOST_COLUMNS."""
    plan = counted_plan(host)
    totals = host_totals(host)
    counts = _count_cells(totals, _removed_cell(report, totals.removed, would_remove(host, report)))
    return [
        printable(host.host.name, NAME_LIMIT),
        host.status.value,
        *(counts if plan else [NOTHING] * len(counts)),
        fine_seconds(host.plan.skew_s) if host.plan else NOTHING,
        fine_seconds(host.duration_s),
        host_note(host, totals),
    ]


def group_row(hosts: Sequence[HostReport], report: FleetReport, name_limit: int) -> list[str]:
    """Return the cells of hosts that share a row, under HOST_COLUMNS.

    The counts are sums, so that each column still adds up to the total. The skew and the time are the largest.
    """
    first, totals = hosts[0], sum_of(hosts)
    counts = _count_cells(
        totals, _removed_cell(report, totals.removed, sum(would_remove(host, report) for host in hosts))
    )
    skews = [host.plan.skew_s for host in hosts if host.plan]
    number = f"{len(hosts)} hosts"
    name = label([host.host for host in hosts], name_limit, NAME_LIMIT)
    note = host_note(first, host_totals(first))
    return [
        name,
        first.status.value,
        *(counts if counted_plan(first) else [NOTHING] * len(counts)),
        fine_seconds(max(skews, key=abs)) if skews else NOTHING,
        fine_seconds(max(host.duration_s for host in hosts)),
        ", ".join(filter(None, (number if name != number else "", note))),
    ]


def totals_row(report: FleetReport) -> list[str]:
    """Return the last row's cells. Its TIME is the run's, from start to end."""
    totals = fleet_totals(report)
    would = sum(would_remove(host, report) for host in report.hosts)
    return [
        "TOTAL",
        f"{totals.statuses[Status.OK]}/{totals.hosts} ok",
        *_count_cells(totals.counts, _removed_cell(report, totals.counts.removed, would)),
        "",
        fine_seconds((report.finished_ns - report.started_ns) / SECOND),
        "",
    ]


def _count_cells(totals: HostTotals, removed: str) -> list[str]:
    numbers = (totals.containers, totals.matched, totals.stale)
    return [*map(str, numbers), removed, humanize(totals.oldest_s)]


def _removed_cell(report: FleetReport, removed: int, would: int) -> str:
    # A 0 would read as "tried and removed none".
    if report.command == "audit":
        return NOTHING
    return f"would {would}" if report.dry_run else str(removed)


def would_remove(host: HostReport, report: FleetReport) -> int:
    """Return how many containers of one host a sweep would try to remove in place of this dry run."""
    if report.guard or host.guarded_by or host.status is not Status.OK:
        return 0
    return host_totals(host).stale


def host_note(host: HostReport, totals: HostTotals) -> str:
    """Return what is unusual about a host in a few words; the lines below the table have the details."""
    parts: list[str] = []
    guard = host.guarded_by
    if host.fault:
        kind = printable(host.fault.kind, WORD_LIMIT)
        parts.append(f"{host.fault.phase.value}: {kind}" if host.fault.phase else kind)
    if host.silence:
        parts.append("silent")
    if guard:
        parts.append(_guard_note(guard))
    counts = (
        (totals.gone, "gone"),
        (totals.changed, "changed"),
        (totals.failed_removals, "failed"),
        (totals.unknown, "unknown"),
        (totals.unknown_age, "of unknown age"),
        (totals.unreadable, "unreadable"),
        (totals.in_use, "in use"),
    )
    parts += [f"{count} {what}" for count, what in counts if count]
    if host.plan and host.plan.resources:
        removed = sum(removal.outcome is Outcome.REMOVED for removal in host.resources)
        parts.append(f"{removed} of {len(host.plan.resources)} volumes and networks")
    return ", ".join(parts)


def _guard_note(guard: Guard) -> str:
    if guard.name is GuardName.IDENTITY or guard.found is None or guard.limit is None:
        return guard.name.value
    return f"{guard.name.value}: {_guard_value(guard, guard.found)}, limit {_guard_value(guard, guard.limit)}"


def _guard_value(guard: Guard, value: float | str) -> str:
    if guard.name is GuardName.SKEW and not isinstance(value, str):
        return humanize(value)
    return printable(str(value), WORD_LIMIT)


def container_rows(host: HostReport) -> list[list[str]]:
    """Return a row for each matched container of one host, under CONTAINER_COLUMNS, in the plan's order."""
    plan = counted_plan(host)
    if plan is None:
        return []
    removals = removals_by_id(host)
    return [
        [
            printable(decision.container.id[:SHORT_ID]),
            printable(decision.container.name, NAME_LIMIT),
            printable(decision.container.image, IMAGE_LIMIT),
            printable(decision.container.state, WORD_LIMIT),
            humanize(decision.age_s),
            decision.age_from.value if decision.age_from else NOTHING,
            decision.verdict.value,
            decision.reason.value,
            _outcome(removals.get(decision.container.id)),
            _detail(decision, plan),
        ]
        for decision in plan.decisions
    ]


def removals_by_id(host: HostReport) -> dict[str, Removal]:
    """Return the host's removals by the full id of their container."""
    return {removal.container_id: removal for removal in host.removals}


def resource_removal(host: HostReport, resource: Resource) -> Removal | None:
    """Return the outcome of a volume or network; None if its removal was not tried."""
    return next((removal for removal in host.resources if removal.container_id == resource.id), None)


def created_age_s(decision: Decision, plan: HostPlan) -> int | None:
    """Return the whole seconds since a container was created, by its engine's clock; None if that is unknown."""
    created = decision.container.created_ns
    return (plan.now_ns - created) // SECOND if UNREADABLE < created <= plan.now_ns else None


def _outcome(removal: Removal | None) -> str:
    return removal.outcome.value if removal else NOTHING


def _detail(decision: Decision, plan: HostPlan) -> str:
    """Return what explains the decision. An old container that keeps restarting is young by its start time."""
    if decision.reason is Reason.UNKNOWN_AGE:
        return timestamps(decision)
    if decision.detail:
        return printable(decision.detail)
    parts: list[str] = []
    if decision.container.restarts:
        parts.append(f"{decision.container.restarts} restarts")
    created = created_age_s(decision, plan)
    if (
        decision.age_from is AgeFrom.STARTED
        and created is not None
        and created - (decision.age_s or 0) >= _NOTABLE_AGE_GAP_S
    ):
        parts.append(f"created {humanize(created)} ago")
    return ", ".join(parts)


def timestamps(decision: Decision) -> str:
    """Return when a container was created and, if known, started, by its engine."""
    container = decision.container
    named = [("created", container.created_ns)]
    if container.started_ns is not None:
        named.append(("started", container.started_ns))
    return ", ".join(f"{word} {'unreadable' if ns == UNREADABLE else iso_utc(ns)}" for word, ns in named)
