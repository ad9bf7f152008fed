"""What the table and the Markdown summary both say, as cells and lines of printable text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from fleetsweep.model.container import SECOND, UNREADABLE
from fleetsweep.model.decision import AgeFrom, Decision, Guard, GuardName, HostPlan, Reason
from fleetsweep.model.journal import SettledAs, Settlement
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.report import FleetReport, HostReport, Silence
from fleetsweep.model.run_scope import Resource
from fleetsweep.model.survey import Fault, Status
from fleetsweep.report.escape import printable
from fleetsweep.report.totals import (
    AT_REST,
    HostTotals,
    counted_plan,
    fleet_totals,
    host_totals,
    in_use,
    unknown_age,
    unreadable,
)

HOST_HEADERS: Final = (
    "HOST",
    "STATUS",
    "CONTAINERS",
    "MATCHED",
    "STALE",
    "REMOVED",
    "OLDEST",
    "SKEW",
    "TIME",
    "NOTE",
)
HOST_ALIGN: Final = ("left", "left", *("right",) * 7, "left")

CONTAINER_HEADERS: Final = (
    "ID",
    "NAME",
    "IMAGE",
    "STATE",
    "AGE",
    "FROM",
    "VERDICT",
    "REASON",
    "OUTCOME",
    "DETAIL",
)
CONTAINER_ALIGN: Final = ("left", "left", "left", "left", "right", *("left",) * 5)

NOTHING: Final = "-"
SHORT_ID: Final = 12
NAME_LIMIT: Final = 64
IMAGE_LIMIT: Final = 80
WORD_LIMIT: Final = 24

LINES_A_HOST: Final = 20
"""Lines of one kind for one host. A hostile box has 10,000 containers of unknown age."""

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WORTH_TELLING_S: Final = 3_600
_SETTLED: Final = {
    SettledAs.GONE: "it is gone",
    SettledAs.STILL_THERE: "it is still there",
    SettledAs.UNKNOWN: "where it was could not be looked at, so it is not known now either",
}
_TO_SETTLE: Final = (
    (Outcome.FAILED, "was not removed", ""),
    (Outcome.UNKNOWN, "may or may not have been removed", " -> the next run settles it"),
)


def humanize(seconds: float | None) -> str:
    """Give a duration as a person says it, rounded down: ``3d``, ``2h10m``, ``45s``; ``-`` for None.

    At most two neighbouring units: beside days, minutes tell nobody anything.
    """
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
    """Give a short duration or an offset: tenths below ten seconds, else as ``humanize`` does."""
    if not math.isfinite(seconds) or abs(seconds) >= 10:
        return humanize(seconds)
    return f"{round(seconds, 1) + 0.0:.1f}s"  # + 0.0: there is no minus zero


def iso_utc(time_ns: int) -> str:
    """Give nanoseconds since the epoch as ``2026-06-15T07:00:00Z``, rounded down to the second."""
    try:
        time = _EPOCH + timedelta(seconds=time_ns // SECOND)
    except OverflowError:  # An engine may say any number.
        return "beyond the calendar"
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def host_row(host: HostReport, report: FleetReport) -> list[str]:
    """Give one host's cells, under HOST_HEADERS."""
    plan = counted_plan(host)
    totals = host_totals(host)
    counts = _count_cells(totals, _removed_cell(report, totals.removed, would_remove(host, report)))
    return [
        printable(host.host.name, NAME_LIMIT),
        host.status.value,
        *(counts if plan else [NOTHING] * len(counts)),
        fine_seconds(host.plan.skew_s) if host.plan else NOTHING,
        fine_seconds(host.duration_s),
        note(host, totals),
    ]


def totals_row(report: FleetReport) -> list[str]:
    """Give the last row's cells. Its TIME is the run's, from start to end."""
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
    """Give how many containers a sweep in place of this dry run would try to remove on one host."""
    if report.guard or host.guarded_by or host.status is not Status.OK:
        return 0
    return host_totals(host).stale


def note(host: HostReport, totals: HostTotals) -> str:
    """Give what is odd about a host in a few words; the lines below the table say the rest."""
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
        done = sum(removal.outcome is Outcome.REMOVED for removal in host.resources)
        parts.append(f"{done} of {len(host.plan.resources)} volumes and networks")
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
    """Give a row for each matched container of one host, under CONTAINER_HEADERS, in the plan's order."""
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
    """Give the host's removals by the full id of their container."""
    return {removal.container_id: removal for removal in host.removals}


def resource_removal(host: HostReport, resource: Resource) -> Removal | None:
    """Give what became of a volume or network; None if it was not touched."""
    return next((removal for removal in host.resources if removal.container_id == resource.id), None)


def created_age_s(decision: Decision, plan: HostPlan) -> int | None:
    """Give the whole seconds since a container was created, by its engine's clock; None if it can't be told."""
    created = decision.container.created_ns
    return (plan.now_ns - created) // SECOND if UNREADABLE < created <= plan.now_ns else None


def _outcome(removal: Removal | None) -> str:
    return removal.outcome.value if removal else NOTHING


def _detail(decision: Decision, plan: HostPlan) -> str:
    """Why the age is what it is: an old leak that restarts is young by its start."""
    if decision.reason is Reason.UNKNOWN_AGE:
        return _timestamps(decision)
    if decision.detail:
        return printable(decision.detail)
    parts: list[str] = []
    if decision.container.restarts:
        parts.append(f"{decision.container.restarts} restarts")
    created = created_age_s(decision, plan)
    if (
        decision.age_from is AgeFrom.STARTED
        and created is not None
        and created - (decision.age_s or 0) >= _WORTH_TELLING_S
    ):
        parts.append(f"created {humanize(created)} ago")
    return ", ".join(parts)


def _timestamps(decision: Decision) -> str:
    container = decision.container
    named = [("created", container.created_ns)]
    if container.started_ns is not None:
        named.append(("started", container.started_ns))
    return ", ".join(f"{word} {'unreadable' if ns == UNREADABLE else iso_utc(ns)}" for word, ns in named)


def attention(report: FleetReport, *, verbose: bool) -> list[str]:
    """Give one line for each thing an operator must act on, in inventory order.

    Each begins with ``fleet:`` or the host's name, never with a box's words: a CI log obeys some lines by
    how they begin (``::add-mask::``). Many of one kind on one host are cut short unless ``verbose``.
    """
    lines = [f"fleet: {guard_line(report.guard)}"] if report.guard else []
    for host in report.hosts:
        name = printable(host.host.name, NAME_LIMIT)
        lines += [f"{name}: {line}" for line in _host_attention(host, verbose=verbose)]
    return lines


def troubles(report: FleetReport) -> Iterator[tuple[str, str]]:
    """Give each thing that went wrong, with whose it is: ``fleet`` or the host's name. Bounded for each host."""
    if report.guard:
        yield "fleet", guard_line(report.guard)
    for host in report.hosts:
        name = printable(host.host.name, NAME_LIMIT)
        yield from ((name, line) for line in _troubles(host, LINES_A_HOST))


def _host_attention(host: HostReport, *, verbose: bool) -> Iterator[str]:
    most = None if verbose else LINES_A_HOST
    yield from _troubles(host, most)
    for settlement in host.settled[:most]:
        yield _settlement_line(settlement)
    yield from _more(len(host.settled), most)


def _troubles(host: HostReport, most: int | None) -> Iterator[str]:
    guard = host.guarded_by
    if host.fault:
        yield _fault_line(host, host.fault)
    if host.silence:
        yield _silence_line(host.silence)
    if guard:
        yield guard_line(guard)
    if host.status is not Status.OK and not host.fault and not guard:
        yield host.status.value
    decisions = {d.container.id: d for d in host.plan.decisions} if host.plan else {}
    for outcome, words, remedy in _TO_SETTLE:
        removals = [removal for removal in host.removals if removal.outcome is outcome]
        for removal in removals[:most]:
            label = _label(removal.container_id, decisions.get(removal.container_id))
            yield f"{label} {words}" + (f": {printable(removal.error)}" if removal.error else "") + remedy
        yield from _more(len(removals), most)
    for resource in host.plan.resources if host.plan else ():
        done = resource_removal(host, resource)
        if done is not None and done.outcome not in AT_REST:
            what = f"{resource.kind} {printable(resource.name, NAME_LIMIT)}: {done.outcome.value}"
            yield what + (f": {printable(done.error)}" if done.error else "")
    doubtful = unknown_age(host)
    for d in doubtful[:most]:
        yield f"{_label(d.container.id, d)} was kept: its age can't be known ({_timestamps(d)})"
    yield from _more(len(doubtful), most)
    for kept, why in ((unreadable(host), "it could not be read"), (in_use(host), "it is in use")):
        for d in kept[:most]:
            yield f"{_label(d.container.id, d)} was kept: {why}" + (f": {printable(d.detail)}" if d.detail else "")
        yield from _more(len(kept), most)


def _silence_line(silence: Silence) -> str:
    limit = humanize(silence.limit_s)
    if silence.since_ns is None:
        found = "no run in the journal has ever looked at it"
    else:
        found = f"the last run that looked at it began at {iso_utc(silence.since_ns)}, more than {limit} ago"
    return f"silent: {found} -> have it reached, or take it out of the inventory"


def _settlement_line(settlement: Settlement) -> str:
    intent = settlement.intent
    label = f"{printable(intent.name, NAME_LIMIT)} ({printable(intent.container_id[:SHORT_ID])})"
    run_id = printable(intent.run_id, NAME_LIMIT)
    return f"{label}: run {run_id} did not learn whether it was removed: {_SETTLED[settlement.outcome]}"


def _more(count: int, most: int | None) -> Iterator[str]:
    if most is not None and count > most:
        yield f"... and {count - most} more like the last one (-v shows them)"


def _fault_line(host: HostReport, fault: Fault) -> str:
    kind = printable(fault.kind, WORD_LIMIT)
    if fault.bug:
        head = f"{host.status.value} by a bug in fleetsweep ({kind})"
        remedy = fault.remedy or "the traceback is in the log"
    else:
        head, remedy = f"{host.status.value} ({fault.phase.value if fault.phase else kind})", fault.remedy
    return f"{head}: {printable(fault.message)}" + (f" -> {printable(remedy)}" if remedy else "")


def guard_line(guard: Guard) -> str:
    """Give what a guard says, on one line."""
    return f"guarded ({guard.name.value}): {printable(guard.message)}"


def _label(container_id: str, decision: Decision | None) -> str:
    short = printable(container_id[:SHORT_ID])
    return f"{printable(decision.container.name, NAME_LIMIT)} ({short})" if decision else short
