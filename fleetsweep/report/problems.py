"""What an operator must act on, as lines of printable text: the list below the table and a CI job's annotations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleetsweep.model.decision import Decision, Guard
from fleetsweep.model.host import Host
from fleetsweep.model.outcome import Outcome
from fleetsweep.model.report import FleetReport, HostReport, Silence
from fleetsweep.model.survey import Fault, Status
from fleetsweep.report.cells import (
    NAME_LIMIT,
    SHORT_ID,
    WORD_LIMIT,
    humanize,
    iso_utc,
    resource_removal,
    timestamps,
)
from fleetsweep.report.escape import printable
from fleetsweep.report.groups import folded, grouped, impersonal, names
from fleetsweep.report.totals import NO_LONGER_THERE, in_use, unknown_age, unreadable

if TYPE_CHECKING:
    from fleetsweep.model.intent import Settlement

LINES_A_HOST: Final = 20
"""Lines of one kind for one host. A hostile box has 10,000 containers of unknown age."""

_NOT_REMOVED: Final = (
    (Outcome.FAILED, "was not removed", ""),
    (Outcome.UNKNOWN, "may or may not have been removed", " -> the next run finds out"),
)


def problem_lines(report: FleetReport, *, verbose: bool) -> list[str]:
    """Return one line for each problem and each settled intent of an earlier run, in inventory order.

    Each begins with ``fleet:`` or a host's name, never with text from a box: a CI runner obeys lines that begin with
    a workflow command (``::add-mask::``). Hosts with the same fault share a line. At most LINES_A_HOST of one kind a
    host; ``verbose`` shows all, and each text that differs.
    """
    most = None if verbose else LINES_A_HOST
    lines = [f"{hosts}: {line}" for hosts, line in _problems(report, most, settled=True)]
    return [*lines, *(f"{hosts}: warning: {text}" for hosts, text in warning_lines(report, most))]


def problems(report: FleetReport) -> Iterator[tuple[str, str]]:
    """Yield each problem with its owner: ``fleet``, or the names of the hosts that have it.

    At most LINES_A_HOST of one kind a host.
    """
    return _problems(report, LINES_A_HOST, settled=False)


def _problems(report: FleetReport, most: int | None, *, settled: bool) -> Iterator[tuple[str, str]]:
    if report.guard:
        yield "fleet", guard_line(report.guard)
    faults: dict[str, list[SharedFault]] = {}
    for shared in shared_faults(report, whole=most is None):
        faults.setdefault(shared.hosts[0].name, []).append(shared)
    for host in report.hosts:
        for shared in faults.pop(host.host.name, ()):
            yield owner(shared.hosts, alike=shared.alike), shared.line
        name = printable(host.host.name, NAME_LIMIT)
        yield from ((name, line) for line in _container_problems(host, most))
        if settled:
            yield from ((name, _settlement_line(settlement)) for settlement in host.settled[:most])
            yield from ((name, line) for line in _more(len(host.settled), most))


def warning_lines(report: FleetReport, most: int | None = LINES_A_HOST) -> Iterator[tuple[str, str]]:
    """Yield each warning with its owner: ``fleet`` or its hosts' names. Hosts' that the fleet has too are left out.

    At most ``most``, and then how many more there are.
    """
    of_fleet = {warning.kind for warning in report.warnings if warning.host is None}
    shown = [warning for warning in report.warnings if warning.host is None or warning.kind not in of_fleet]
    groups = grouped(shown, lambda warning: (warning.host is None, warning.message, warning.remedy))
    for group in groups[:most]:
        hosts = [warning.host for warning in group if warning.host is not None]
        yield folded(hosts) or "fleet", f"{printable(group[0].message)} -> {printable(group[0].remedy)}"
    if most is not None and len(groups) > most:
        yield "fleet", f"... and {len(groups) - most} more (--format json has all)"


@dataclass(frozen=True, slots=True)
class SharedFault:
    """What is wrong with one or more whole hosts. ``line`` is the first's; ``alike`` if it is the same for all."""

    hosts: Sequence[Host]
    line: str
    alike: bool


def shared_faults(report: FleetReport, *, whole: bool = False) -> list[SharedFault]:
    """Return each host's faults, guards and silence; equal ones once, for all their hosts.

    Those that differ in what is the host's own, such as its port, count as equal unless ``whole``.
    """
    faults = [(host.host, line) for host in report.hosts for line in _faults(host)]
    return [
        SharedFault([host for host, _ in group], group[0][1], alike=len({line for _, line in group}) == 1)
        for group in grouped(faults, lambda fault: fault[1] if whole else impersonal(fault[1], fault[0]))
    ]


def owner(hosts: Sequence[Host], *, alike: bool) -> str:
    """Return the names of the hosts with one problem; where their texts are not ``alike``, also whose is shown."""
    if len(hosts) == 1:
        return printable(hosts[0].name, NAME_LIMIT)
    example = "" if alike else f" (shown: {printable(hosts[0].name, NAME_LIMIT)})"
    return names(hosts) + example


def _faults(host: HostReport) -> Iterator[str]:
    guard = host.guarded_by
    if host.fault:
        yield _fault_line(host, host.fault)
    if host.silence:
        yield _silence_line(host.silence)
    if guard:
        yield guard_line(guard)
    if host.status is not Status.OK and not host.fault and not guard:
        yield host.status.value


def _container_problems(host: HostReport, most: int | None) -> Iterator[str]:
    decisions = {d.container.id: d for d in host.plan.decisions} if host.plan else {}
    for outcome, text, remedy in _NOT_REMOVED:
        removals = [removal for removal in host.removals if removal.outcome is outcome]
        for removal in removals[:most]:
            label = _label(removal.container_id, decisions.get(removal.container_id))
            yield f"{label} {text}" + (f": {printable(removal.error)}" if removal.error else "") + remedy
        yield from _more(len(removals), most)
    for resource in host.plan.resources if host.plan else ():
        attempt = resource_removal(host, resource)
        if attempt is not None and attempt.outcome not in NO_LONGER_THERE:
            what = f"{resource.kind} {printable(resource.name, NAME_LIMIT)}: {attempt.outcome.value}"
            yield what + (f": {printable(attempt.error)}" if attempt.error else "")
    ageless = unknown_age(host)
    for d in ageless[:most]:
        yield f"{_label(d.container.id, d)} was kept: its age is unknown ({timestamps(d)})"
    yield from _more(len(ageless), most)
    for kept, why in ((unreadable(host), "it could not be read"), (in_use(host), "it is in use")):
        for d in kept[:most]:
            yield f"{_label(d.container.id, d)} was kept: {why}" + (f": {printable(d.detail)}" if d.detail else "")
        yield from _more(len(kept), most)


def _silence_line(silence: Silence) -> str:
    limit = humanize(silence.limit_s)
    if silence.since_ns is None:
        found = "no run in the journal has ever surveyed it"
    else:
        found = f"the last run that surveyed it began at {iso_utc(silence.since_ns)}, more than {limit} ago"
    return f"silent: {found} -> make it reachable, or take it out of the inventory"


def _settlement_line(settlement: Settlement) -> str:
    from fleetsweep.model.intent import SettledAs

    found = {
        SettledAs.GONE: "it is gone",
        SettledAs.STILL_THERE: "it is still there",
        SettledAs.UNKNOWN: "its engine could not be asked, so its outcome stays unknown",
    }[settlement.outcome]
    intent = settlement.intent
    label = f"{printable(intent.name, NAME_LIMIT)} ({printable(intent.container_id[:SHORT_ID])})"
    run_id = printable(intent.run_id, NAME_LIMIT)
    return f"{label}: run {run_id} ended without knowing whether it was removed: {found}"


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
    """Return a guard's message on one line."""
    return f"guarded ({guard.name.value}): {printable(guard.message)}"


def _label(container_id: str, decision: Decision | None) -> str:
    short = printable(container_id[:SHORT_ID])
    return f"{printable(decision.container.name, NAME_LIMIT)} ({short})" if decision else short
