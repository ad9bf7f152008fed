"""The phases, composed: survey, plan, apply and verify, report.

The survey of all hosts ends before the first removal on any, and each phase hands the next one frozen values only.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Final, TypeVar

from fleetsweep.engine import MAY_REMOVE, READ_ONLY
from fleetsweep.errors import FleetsweepError, HostError
from fleetsweep.model.container import Container
from fleetsweep.model.decision import FleetPlan, Guard, HostPlan
from fleetsweep.model.host import Connection, Host
from fleetsweep.model.journal import Settlement
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.report import HostReport
from fleetsweep.model.run_scope import ResourceKind
from fleetsweep.model.survey import FailedSurvey, Fault, Status, Survey
from fleetsweep.policy.guards import engine_guard
from fleetsweep.policy.rules import Policy, needs_inspection
from fleetsweep.runtime.capacity import out_of_room
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.ssh import SshOptions
from fleetsweep.sweep import removal_workers as crew
from fleetsweep.sweep import remove_containers as removal
from fleetsweep.sweep import workers as fleet
from fleetsweep.sweep.connect import engine_on
from fleetsweep.sweep.newcomers import in_use_now
from fleetsweep.sweep.remove_resources import remove_resources

if TYPE_CHECKING:
    from fleetsweep.engine.client import EngineClient
    from fleetsweep.ssh.bastions import Bastions

log = logging.getLogger(__name__)

MOST_STREAMS: Final = 64

PROOF_S: Final = 10.0
"""Seconds that are kept back for the final list, or this share of the host's time if that is less."""

PROOF_SHARE: Final = 0.2

OnDone = Callable[[Host], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ConnectConfig:
    """How hosts are reached, and how long they may take. ``stopped`` is set when nothing new may begin.

    ``bastions`` are the connections that hosts share: ``reaching`` makes them, for the phases of one run together.
    """

    ssh: SshOptions
    limits: fleet.Limits
    stopped: threading.Event = field(default_factory=threading.Event)
    bastions: Bastions | None = None


@contextmanager
def reaching(hosts: Sequence[Host], reach: ConnectConfig) -> Iterator[ConnectConfig]:
    """``reach`` with the bastions of one run. None, and no SSH client loaded, where no host is reached over SSH."""
    if all(host.connection is Connection.LOCAL for host in hosts):
        yield reach
        return
    from fleetsweep.ssh.bastions import Bastions

    # What only the answers need loads while the first hosts are being connected to.
    loading = threading.Thread(
        target=import_module, args=("fleetsweep.engine.client",), name="fleetsweep-loading", daemon=True
    )
    try:
        loading.start()
    except RuntimeError as error:
        # It only saves time: whoever needs it first loads it.
        if not out_of_room(error):
            raise
    try:
        with Bastions() as bastions:
            yield replace(reach, bastions=bastions)
    finally:
        if loading.ident is not None:
            loading.join()


def everyone(host: Host) -> bool:
    """Every host."""
    return True


def run_over(
    hosts: Sequence[Host],
    work: Callable[[Host, Deadline], T],
    reach: ConnectConfig,
    on_done: OnDone | None = None,
    may_begin_again: Callable[[Host], bool] = everyone,
) -> list[fleet.HostResult[T]]:
    """Call ``work`` for every host, in parallel. Answers in the order given."""
    return fleet.run(
        hosts,
        work,
        reach.limits,
        stopped=reach.stopped,
        on_done=(lambda done: on_done(done.host)) if on_done else None,
        may_begin_again=may_begin_again,
    )


def survey(
    hosts: Sequence[Host],
    policies: Mapping[str, Policy],
    reach: ConnectConfig,
    on_done: OnDone | None = None,
    *,
    identify: Callable[[Host], bool] = everyone,
    kinds: Sequence[ResourceKind] = (),
) -> list[Survey | FailedSurvey]:
    """Look at every host, in parallel, with nothing but GET. Answers in the order given.

    ``identify`` says which engines are asked for their ids besides those with a pin or a baseline: what is planned on
    one that was not asked can't be applied. ``kinds`` are those of which the resources with the run's label are listed.
    """

    def look(host: Host, deadline: Deadline) -> Survey:
        policy = policies[host.name]

        def wanted(container: Container, now_ns: int) -> bool:
            return needs_inspection(container, policy, now_ns)

        scope = policy.run
        named = policy.engine_id is not None or (scope is not None and scope.baseline is not None) or identify(host)
        with engine_on(host, reach.ssh, reach.bastions, deadline, READ_ONLY, identify=named) as client:
            engine = client.engine
            listing = client.survey(wanted)
            policy.matcher.look_at(policy.names, [container.name for container in listing.containers])
            label = "=".join(scope.label) if scope is not None and scope.label is not None else None
            resources = [found for kind in kinds if label for found in client.list_resources(kind, label)]
        return Survey(host, engine, listing.now_ns, listing.skew_s, listing.containers, 0.0, tuple(resources))

    results = run_over(hosts, look, reach, on_done)
    return [
        replace(done.value, duration_s=done.duration_s)
        if done.value is not None
        else FailedSurvey(done.host, _fault_of(done), done.duration_s)
        for done in results
    ]


def _fault_of(done: fleet.HostResult[Survey]) -> Fault:
    if done.fault is None:
        raise AssertionError("a host has neither a value nor a fault")
    return done.fault


def actionable(fleet_plan: FleetPlan) -> list[HostPlan]:
    """The hosts that have something to go and no guard in the way."""
    if fleet_plan.guard is not None:
        return []
    plans = (item for item in fleet_plan.hosts if isinstance(item, HostPlan))
    return [plan for plan in plans if plan.guard is None and (plan.candidates or plan.resources)]


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done on one host: every intent's outcome, and the fault that cut it short, if one did.

    ``removals`` are of containers and of what goes besides. ``guard`` is the one that tripped when the host was reached
    again: then nothing was sent.
    """

    removals: tuple[Removal, ...]
    fault: Fault | None
    duration_s: float
    guard: Guard | None = None


def apply(
    plans: Sequence[HostPlan],
    policies: Mapping[str, Policy],
    reach: ConnectConfig,
    log_for: Callable[[HostPlan], removal.IntentLog],
    *,
    volumes: bool = False,
    on_done: OnDone | None = None,
) -> dict[str, Applied]:
    """Remove every plan's candidates and prove it, host by host in parallel. Answers by host name."""
    by_name = {item.host.name: item for item in plans}
    ledgers = {item.host.name: removal.Ledger(log_for(item)) for item in plans}

    def work(host: Host, deadline: Deadline) -> Fault | Guard | None:
        return _apply_host(
            by_name[host.name], policies[host.name], reach, ledgers[host.name], deadline, volumes=volumes
        )

    results = run_over(
        [item.host for item in plans], work, reach, on_done, may_begin_again=lambda host: not ledgers[host.name].begun
    )
    applied = {}
    for done in results:
        try:
            applied[done.host.name] = _applied(done, ledgers[done.host.name])
        except Exception as error:  # what one host came to must not cost the others their rows
            log.exception("a bug while counting up %s", done.host.name)
            applied[done.host.name] = Applied((), Fault.of_bug(error), done.duration_s)
    return applied


def _applied(done: fleet.HostResult[Fault | Guard | None], ledger: removal.Ledger) -> Applied:
    removals = ledger.close()
    guard = done.value if isinstance(done.value, Guard) else None
    fault = done.fault or (done.value if isinstance(done.value, Fault) else None)
    fault = fault or (journal_fault(ledger.trouble) if ledger.trouble else None)
    return Applied(removals, fault, done.duration_s, guard)


def journal_fault(error: FleetsweepError) -> Fault:
    """The row of a host from which nothing more is removed, because the journal can't be written."""
    return Fault(Status.FAILED, None, "journal", str(error), "make the state directory writable, then sweep again")


def _apply_host(
    host_plan: HostPlan,
    policy: Policy,
    reach: ConnectConfig,
    ledger: removal.Ledger,
    deadline: Deadline,
    *,
    volumes: bool,
) -> Fault | Guard | None:
    candidates = host_plan.candidates
    # Each is dialled when it is needed: beyond a few only where an engine waits, or hangs.
    connections = max(1, min(MOST_STREAMS, len(candidates)))
    fault: Fault | None = None
    with engine_on(
        host_plan.host, reach.ssh, reach.bastions, deadline, MAY_REMOVE, connections, identify=True
    ) as client:
        other = engine_guard(host_plan.host, host_plan.engine, client.engine, policy)
        if other is not None:
            return other
        reserve_s = min(PROOF_S, deadline.remaining() * PROOF_SHARE)
        client.reserve_time(reserve_s)
        clock = deadline.within(deadline.remaining() - reserve_s)
        # A plan from a file may claim a later time than it is: nothing grows old by that.
        rule = removal.Rule(policy, min(host_plan.now_ns, client.now_ns), volumes)
        pace = removal.pace_for(candidates, clock.remaining(), waits=client.waits)
        listed = client.list_containers().containers
        work = crew.Work(
            candidates,
            rule,
            in_use_now(client, listed, host_plan, resolve=client.resolve_owners, look_s=pace.look_s)
            if candidates
            else {},
            crew.dependents_among(candidates, client.resolve_owners(listed)),
        )
        asked = crew.remove_all(client, work, ledger, stopped=reach.stopped, clock=clock, pace=pace)
        fault = _hindrance(asked.hindered)
        proof: Sequence[Container] | None = ()
        if asked.unproven:
            try:
                proof = _final_list(client, deadline, fresh=asked.doubt)
            except HostError as error:
                fault = fault or fleet.as_fault(error)
                proof = None
        removal.settle(asked.unproven, proof, ledger)
        try:
            if fault is None:
                remove_resources(
                    client, host_plan.resources, policy, rule.now_ns, ledger, stopped=reach.stopped, clock=clock
                )
        except FleetsweepError as error:
            fault = journal_fault(error)
    return fault


def _hindrance(error: Exception | None) -> Fault | None:
    if error is None:
        return None
    return journal_fault(error) if isinstance(error, FleetsweepError) else Fault.of_bug(error)


def _final_list(client: EngineClient, deadline: Deadline, *, fresh: bool) -> Sequence[Container]:
    """What the engine lists in the end, asked for once more over a new stream if the first answer can't be used."""
    try:
        return client.final_list(within=deadline.remaining() / 2, fresh=fresh)
    except HostError:
        return client.final_list(within=deadline.remaining(), fresh=True)


def host_reports(
    fleet_plan: FleetPlan, applied: Mapping[str, Applied], settled: Mapping[str, tuple[Settlement, ...]]
) -> tuple[HostReport, ...]:
    """Every selected host's row, in inventory order. Pure."""
    return tuple(
        replace(host_report(item, applied.get(item.host.name)), settled=settled.get(item.host.name, ()))
        for item in fleet_plan.hosts
    )


def host_report(item: HostPlan | FailedSurvey, applied: Applied | None) -> HostReport:
    """One host's row."""
    if isinstance(item, FailedSurvey):
        return HostReport(item.host, item.fault.status, fault=item.fault, duration_s=item.duration_s)
    duration_s = item.duration_s
    if applied is not None and applied.guard is not None:
        return HostReport(
            item.host, Status.GUARDED, plan=item, guard=applied.guard, duration_s=duration_s + applied.duration_s
        )
    if applied is None:
        status = Status.GUARDED if item.guard is not None else Status.OK
        return HostReport(item.host, status, plan=item, guard=item.guard, duration_s=duration_s)
    undone = len(item.candidates) + len(item.resources) - len(applied.removals)
    fault = applied.fault
    if fault is None and undone:
        fault = Fault(Status.INTERRUPTED, None, "stopped", f"stopped with {undone} candidates left untouched")
    besides = {resource.id for resource in item.resources}
    failed = any(result.outcome in {Outcome.FAILED, Outcome.UNKNOWN} for result in applied.removals)
    status = fault.status if fault is not None else Status.FAILED if failed else Status.OK
    return HostReport(
        item.host,
        status,
        plan=item,
        fault=fault,
        removals=tuple(each for each in applied.removals if each.container_id not in besides),
        resources=tuple(each for each in applied.removals if each.container_id in besides),
        duration_s=duration_s + applied.duration_s,
    )
