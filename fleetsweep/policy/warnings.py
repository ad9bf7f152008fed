"""Warnings of a run that succeeds and is of no use: nothing matches, nothing is removed, a guard trips each time. Pure.

A warning follows from the run's report and from what the journal has of its hosts. It changes no exit code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from fleetsweep.model.container import SECOND
from fleetsweep.model.decision import GuardName, HostPlan
from fleetsweep.model.outcome import Outcome
from fleetsweep.model.past_hosts import LastMatch, PastOfHosts
from fleetsweep.model.report import FleetReport, FleetWarning, HostReport, WarningKind

RENAMED_RUNS: Final = 2
"""Runs without a match after which a host with more unmatched containers than before is reported: a renamed prefix."""

IDLE_RUNS: Final = 24
"""Runs without a match after which a host is reported in any case, and audits that saw the same stale container."""

SWEEPS: Final = 3
"""Sweeps after which a container that they did not remove is reported."""

GUARDED_RUNS: Final = 3
"""Runs in a row after which a guard is reported that tripped in each."""

MATCH_KEPT_NS: Final = 30 * 86_400 * SECOND
"""Nanoseconds after a host's last match until it counts as a host that never matches: it has another role now."""

_GONE: Final = frozenset({Outcome.REMOVED, Outcome.GONE})
_RENAMED: Final = "give the containers' new name, image or label with --name, --image or --label"
_IDLE: Final = f"if its jobs' containers were renamed, {_RENAMED}; if it runs no jobs, take it out of the inventory"


def lacks_match(row: HostReport) -> bool:
    """Whether the host was surveyed and no selector matched any of its containers."""
    plan = _own_plan(row)
    return plan is not None and not plan.decisions


def still_stale(row: HostReport) -> frozenset[str]:
    """Return the ids of the stale containers that the run left on a host without a guard."""
    plan = _own_plan(row)
    if plan is None or row.guarded_by is not None:
        return frozenset()
    gone = {removal.container_id for removal in row.removals if removal.outcome in _GONE}
    return frozenset(decision.container.id for decision in plan.candidates) - gone


def fleet_warnings(report: FleetReport, past: PastOfHosts, *, looked: bool = True) -> tuple[FleetWarning, ...]:
    """Return the warnings of an audit or a sweep, the fleet's first.

    ``looked`` is False for a run that carried out a saved plan: it surveyed no host.
    """
    matching = tuple(_no_match(report, past)) if looked else ()
    stale = tuple(_not_removed(report, past)) if looked else ()
    found = (*matching, *stale, *_guarded(report, past))
    order = {None: -1} | {row.host.name: number for number, row in enumerate(report.hosts)}
    return tuple(sorted(found, key=lambda warning: order[warning.host]))


def _no_match(report: FleetReport, past: PastOfHosts) -> Iterator[FleetWarning]:
    known: list[tuple[LastMatch, int]] = []
    for row in report.hosts:
        last = past.matches.get(row.host.name)
        if last is None or not lacks_match(row) or report.started_ns - last.at_ns > MATCH_KEPT_NS:
            continue
        plan = row.plan
        others = plan.containers if plan else 0
        known.append((last, others))
        warning = _useless(row.host.name, last.runs + 1, others - last.others)
        if warning is not None:
            yield warning
    surveyed = [row for row in report.hosts if _own_plan(row) is not None]
    if known and len(surveyed) > 1 and all(map(lacks_match, surveyed)):
        runs = 1 + min(last.runs for last, _ in known)
        # A host with fewer must not hide the others' renamed containers.
        warning = _useless(None, runs, sum(max(0, others - last.others) for last, others in known))
        if warning is not None:
            yield warning


def _useless(host: str | None, runs: int, more: int) -> FleetWarning | None:
    """Return the warning that nothing matches. ``more`` are the unmatched containers that are there since the match."""
    where = "on any host" if host is None else "here"
    message = f"no container {where} has matched for {runs} runs, and before that some did"
    if runs >= RENAMED_RUNS and more > 0:
        message += f"; {more} more container{'' if more == 1 else 's'} than then match no selector"
        remedy = f"if jobs name their containers differently now, {_RENAMED}"
    elif runs >= IDLE_RUNS:
        remedy = _IDLE if host is not None else f"if jobs' containers were renamed, {_RENAMED}"
    else:
        return None
    return FleetWarning(WarningKind.MATCHES_NOTHING, host, message, runs, remedy)


def _not_removed(report: FleetReport, past: PastOfHosts) -> Iterator[FleetWarning]:
    if report.guard is not None:
        return
    acts = report.command == "sweep" and not report.dry_run
    for row in report.hosts:
        leaks = past.leaks.get(row.host.name, {})
        seen = [leaks[each] for each in still_stale(row) if each in leaks]
        swept = [leak.sweeps + acts for leak in seen if leak.sweeps + acts >= SWEEPS]
        audited = [leak.runs + 1 for leak in seen if not (acts or leak.sweeps) and leak.runs + 1 >= IDLE_RUNS]
        name = row.host.name
        if swept:
            message = f"{_containers(swept)} still there after {max(swept)} sweeps"
            remedy = "fix what the rows of its sweeps report, or hold what is to stay: fleetsweep history, show, hold"
            yield FleetWarning(WarningKind.NOT_REMOVED, name, message, max(swept), remedy)
        elif audited:
            message = f"{_containers(audited)} still there after {max(audited)} runs, without a sweep"
            remedy = "schedule a sweep of this host: fleetsweep schedule"
            yield FleetWarning(WarningKind.NOT_REMOVED, name, message, max(audited), remedy)


def _containers(counted: Sequence[int]) -> str:
    return f"{len(counted)} stale container{' is' if len(counted) == 1 else 's are'}"


def _guarded(report: FleetReport, past: PastOfHosts) -> Iterator[FleetWarning]:
    remedy = "remove the cause that it names, or change its limit: docs/safety.md lists the guards"
    for row in report.hosts:
        guard = row.guarded_by
        runs = past.guarded.get(row.host.name, 0) + 1
        if guard is not None and runs >= GUARDED_RUNS:
            message = f"a guard has tripped here for {runs} runs, now {guard.name.value}"
            yield FleetWarning(WarningKind.GUARD_REPEATS, row.host.name, message, runs, remedy)
    if report.guard is not None:
        runs = 1 + max((past.guarded.get(row.host.name, 0) for row in report.hosts if not row.guarded_by), default=0)
        if runs >= GUARDED_RUNS:
            message = f"a guard has tripped for {runs} runs, now {report.guard.name.value}"
            yield FleetWarning(WarningKind.GUARD_REPEATS, None, message, runs, remedy)


def _own_plan(row: HostReport) -> HostPlan | None:
    """Return the plan of a host whose containers are its own: under the identity guard they are another's."""
    guard = row.guarded_by
    return None if guard is not None and guard.name is GuardName.IDENTITY else row.plan
