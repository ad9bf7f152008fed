"""Counting: a host's and the fleet's totals, and the exit code that follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fleetsweep import exit_codes
from fleetsweep.model.decision import Decision, Guard, GuardName, HostPlan, Reason
from fleetsweep.model.outcome import Outcome
from fleetsweep.model.report import FleetReport, HostReport
from fleetsweep.model.survey import Status

_NOT_SURVEYED: Final = frozenset({Status.UNREACHABLE, Status.FAILED, Status.INTERRUPTED})
NO_LONGER_THERE: Final = frozenset({Outcome.REMOVED, Outcome.GONE})
_NOT_REMOVED: Final = frozenset({Outcome.FAILED, Outcome.UNKNOWN})


@dataclass(frozen=True, slots=True)
class HostTotals:
    """Counts of one host, or their sum over the fleet.

    ``containers`` are all that the engine listed, ``matched`` those that a selector picked, ``stale`` those to be
    removed, whether or not a guard forbids it. ``removed`` to ``unknown`` are outcomes of removals. Kept are
    ``unknown_age``: matched containers whose age is unknown; ``unreadable``: those that could not be inspected; and
    ``in_use``: those that another container, which stays, depends on. ``oldest_s`` is the age in seconds of the oldest
    ``stale`` container, None without one.
    """

    containers: int = 0
    matched: int = 0
    stale: int = 0
    removed: int = 0
    gone: int = 0
    changed: int = 0
    failed_removals: int = 0
    unknown: int = 0
    unknown_age: int = 0
    unreadable: int = 0
    in_use: int = 0
    oldest_s: int | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """The fleet's totals: ``hosts`` by status (every status has a count) and the sum of their counts."""

    hosts: int
    statuses: Mapping[Status, int]
    counts: HostTotals


def counted_plan(host: HostReport) -> HostPlan | None:
    """Return the plan whose containers are this host's own; None where there is nothing to count.

    A host under the identity guard shows another host's containers, or those of an unexpected engine. Counting them
    would report one engine under two names as twice the leak.
    """
    guard = host.guarded_by
    return None if guard and guard.name is GuardName.IDENTITY else host.plan


def host_totals(host: HostReport) -> HostTotals:
    """Count one host."""
    plan = counted_plan(host)
    decisions = plan.decisions if plan else ()
    candidates = plan.candidates if plan else ()
    outcomes = [removal.outcome for removal in host.removals]
    return HostTotals(
        containers=plan.containers if plan else 0,
        matched=len(decisions),
        stale=len(candidates),
        removed=outcomes.count(Outcome.REMOVED),
        gone=outcomes.count(Outcome.GONE),
        changed=outcomes.count(Outcome.CHANGED),
        failed_removals=outcomes.count(Outcome.FAILED),
        unknown=outcomes.count(Outcome.UNKNOWN),
        unknown_age=len(unknown_age(host)),
        unreadable=len(unreadable(host)),
        in_use=len(in_use(host)),
        oldest_s=max((d.age_s for d in candidates if d.age_s is not None), default=None),
    )


def fleet_totals(report: FleetReport) -> Totals:
    """Count the fleet: each count is the sum over the hosts, ``oldest_s`` their greatest."""
    statuses = [host.status for host in report.hosts]
    return Totals(
        hosts=len(report.hosts),
        statuses={status: statuses.count(status) for status in Status},
        counts=sum_of(report.hosts),
    )


def sum_of(hosts: Sequence[HostReport]) -> HostTotals:
    """Return the sums of these hosts' counts, and the greatest ``oldest_s``."""
    rows = [host_totals(host) for host in hosts]
    return HostTotals(
        containers=sum(row.containers for row in rows),
        matched=sum(row.matched for row in rows),
        stale=sum(row.stale for row in rows),
        removed=sum(row.removed for row in rows),
        gone=sum(row.gone for row in rows),
        changed=sum(row.changed for row in rows),
        failed_removals=sum(row.failed_removals for row in rows),
        unknown=sum(row.unknown for row in rows),
        unknown_age=sum(row.unknown_age for row in rows),
        unreadable=sum(row.unreadable for row in rows),
        in_use=sum(row.in_use for row in rows),
        oldest_s=max((row.oldest_s for row in rows if row.oldest_s is not None), default=None),
    )


def unknown_age(host: HostReport) -> tuple[Decision, ...]:
    """Return the matched containers that were kept because their age is unknown."""
    return _kept_for(host, Reason.UNKNOWN_AGE)


def unreadable(host: HostReport) -> tuple[Decision, ...]:
    """Return the containers that were kept because they could not be inspected and may be matched by a selector."""
    return _kept_for(host, Reason.UNREADABLE)


def in_use(host: HostReport) -> tuple[Decision, ...]:
    """Return the containers that were kept only because another container, which stays, depends on them."""
    return _kept_for(host, Reason.IN_USE)


def _kept_for(host: HostReport, reason: Reason) -> tuple[Decision, ...]:
    plan = counted_plan(host)
    return tuple(d for d in plan.decisions if d.reason is reason) if plan else ()


def remaining(host: HostReport) -> tuple[Decision, ...]:
    """Return the candidates that may still be there: all of them after an audit or a dry run."""
    plan = counted_plan(host)
    gone = {removal.container_id for removal in host.removals if removal.outcome in NO_LONGER_THERE}
    return tuple(d for d in plan.candidates if d.container.id not in gone) if plan else ()


def exit_code(hosts: Sequence[HostReport], guard: Guard | None, *, fail_on_stale: bool, stopped_by: int | None) -> int:
    """Return the exit code of a run that got as far as contacting hosts.

    ``guard`` is the fleet's; ``stopped_by`` is the number of the signal that stopped the run. A matched container of
    unknown age counts as an unusable response, and so does one that could not be inspected: it is kept though it may
    be stale, so the exit code must not be OK.
    """
    applies = (
        (guard is not None or any(_guarded(host) for host in hosts), exit_codes.GUARD),
        (any(_not_removed(host) for host in hosts), exit_codes.REMOVAL),
        (any(_unusable(host) or unknown_age(host) or unreadable(host) for host in hosts), exit_codes.INCOMPLETE),
        (fail_on_stale and any(remaining(host) for host in hosts), exit_codes.STALE),
        (any(_bug(host) for host in hosts), exit_codes.BUG),
    )
    stopped = () if stopped_by is None else (exit_codes.SIGNAL + stopped_by,)
    return exit_codes.worst(*stopped, *(code for condition, code in applies if condition))


def _guarded(host: HostReport) -> bool:
    return host.status is Status.GUARDED or host.guarded_by is not None


def _not_removed(host: HostReport) -> bool:
    return any(removal.outcome in _NOT_REMOVED for removal in (*host.removals, *host.resources))


def _bug(host: HostReport) -> bool:
    return host.fault is not None and host.fault.bug


def _unusable(host: HostReport) -> bool:
    return (host.status in _NOT_SURVEYED or host.fault is not None) and not _bug(host)
