"""The phases of a run: survey, plan, apply and verify, report.

The survey of all hosts ends before the first removal on any host. A phase hands only frozen values to the next.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from fleetsweep.errors import FaultKind
from fleetsweep.model.decision import FleetPlan, Guard, HostPlan, is_actionable
from fleetsweep.model.host import Connection, Host
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.report import HostReport
from fleetsweep.model.survey import FailedSurvey, Fault, PhaseObserver, Status, Survey, ignore_phase
from fleetsweep.policy.rules import Policy
from fleetsweep.runtime.capacity import out_of_room
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.ssh import SshOptions
from fleetsweep.sweep import workers
from fleetsweep.sweep.connect import Connector
from fleetsweep.sweep.ledger import IntentLog, Ledger
from fleetsweep.sweep.one_host import Look, RemovalOptions, journal_fault
from fleetsweep.sweep.runner import Runner, ThreadRunner

if TYPE_CHECKING:
    from fleetsweep.engine.tls import EngineTls
    from fleetsweep.model.intent import Settlement
    from fleetsweep.model.run_scope import ResourceKind
    from fleetsweep.ssh.bastions import Bastions
    from fleetsweep.sweep.spread import Spread

log = logging.getLogger(__name__)

OnDone = Callable[[Host], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ConnectConfig:
    """How hosts are reached, and how long they may take. ``stopped`` is set when nothing new may start.

    ``bastions`` are the connections that hosts share. ``open_bastions`` sets them, for all phases of one run.
    ``spread`` asks for workers in other processes. ``open_bastions`` starts them, and sets the ``runner`` that hands a
    host to one of them; None is this process's threads.
    """

    ssh: SshOptions
    limits: workers.Limits
    stopped: threading.Event = field(default_factory=threading.Event)
    bastions: Bastions | None = None
    engine_tls: EngineTls | None = None
    spread: Spread | None = None
    runner: Runner | None = None

    def connector(self, observe: PhaseObserver = ignore_phase) -> Connector:
        """Return a connector; ``observe`` is called as each phase of reaching a host succeeds."""
        return Connector(self.ssh, self.bastions, observe, self.engine_tls)


@contextmanager
def open_bastions(hosts: Sequence[Host], connect: ConnectConfig) -> Iterator[ConnectConfig]:
    """Yield ``connect`` with the bastions of one run, or with its workers, and close them after it.

    Where no host is reached over SSH there are none, and no SSH client is loaded. Raises UsageError if a spread run's
    workers can't be started.
    """
    if connect.spread is not None:
        from fleetsweep.sweep.slices import Reach
        from fleetsweep.sweep.spread import open_runner

        files = connect.engine_tls.files if connect.engine_tls is not None else None
        with (
            open_runner(connect.spread, len(hosts), Reach(connect.ssh, files), connect.stopped) as runner,
            open_bastions(hosts, replace(connect, spread=None, runner=runner)) as ready,
        ):
            yield ready
        return
    if connect.runner is not None:
        yield connect
        return
    if all(host.connection is Connection.LOCAL for host in hosts):
        yield connect
        return
    from fleetsweep.ssh.bastions import Bastions

    # The engine's client is needed only after the first log-in: it loads meanwhile.
    loading = threading.Thread(
        target=import_module, args=("fleetsweep.engine.client",), name="fleetsweep-loading", daemon=True
    )
    try:
        loading.start()
    except RuntimeError as error:
        # It only saves time: without it, the first host loads the module.
        if not out_of_room(error):
            raise
    try:
        with Bastions() as bastions:
            yield replace(connect, bastions=bastions)
    finally:
        if loading.ident is not None:
            loading.join()


def every_host(host: Host) -> bool:
    """Select every host."""
    return True


def run_on_hosts(
    hosts: Sequence[Host],
    work: Callable[[Host, Deadline], T],
    connect: ConnectConfig,
    on_done: OnDone | None = None,
) -> list[workers.HostResult[T]]:
    """Call ``work`` for every host, in parallel, and return the results in the order given."""
    return workers.run(
        hosts,
        work,
        connect.limits,
        stopped=connect.stopped,
        on_done=(lambda done: on_done(done.host)) if on_done else None,
    )


def survey(
    hosts: Sequence[Host],
    policies: Mapping[str, Policy],
    connect: ConnectConfig,
    on_done: OnDone | None = None,
    *,
    identify: Callable[[Host], bool] = every_host,
    kinds: Sequence[ResourceKind] = (),
) -> list[Survey | FailedSurvey]:
    """Survey every host, as ``survey_each`` does, and return the results in the order given."""
    found: dict[int, Survey | FailedSurvey] = {}
    survey_each(hosts, policies, connect, found.__setitem__, on_done, identify=identify, kinds=kinds)
    return [found[position] for position in range(len(hosts))]


def survey_each(
    hosts: Sequence[Host],
    policies: Mapping[str, Policy],
    connect: ConnectConfig,
    take: Callable[[int, Survey | FailedSurvey], None],
    on_done: OnDone | None = None,
    *,
    identify: Callable[[Host], bool] = every_host,
    kinds: Sequence[ResourceKind] = (),
) -> None:
    """Survey every host, in parallel, with nothing but GET. Keep no result.

    ``take`` is called in the calling thread with a host's position and result as its survey ends. ``identify`` selects
    the engines that are asked for their ids; those with a pin or a baseline always are. A plan without an engine's id
    can't be applied. ``kinds`` are the kinds of resources to list by the run's label.
    """
    runner = connect.runner or ThreadRunner(connect.connector(), connect.stopped)

    def look(host: Host, deadline: Deadline) -> Survey:
        return runner.survey(host, policies[host.name], Look(identify(host), tuple(kinds)), deadline)

    def ended(position: int, done: workers.HostResult[Survey]) -> None:
        found = done.value
        if found is not None:
            take(position, replace(found, duration_s=done.duration_s))
        else:
            take(position, FailedSurvey(done.host, _fault_of(done), done.duration_s))
        if on_done is not None:
            on_done(done.host)

    workers.run_each(hosts, look, connect.limits, ended, stopped=connect.stopped)


def _fault_of(done: workers.HostResult[Survey]) -> Fault:
    if done.fault is None:
        raise AssertionError("a host has neither a value nor a fault")
    return done.fault


def actionable(fleet_plan: FleetPlan) -> list[HostPlan]:
    """Return the plans of the hosts that have something to remove and no tripped guard."""
    if fleet_plan.guard is not None:
        return []
    return [item for item in fleet_plan.hosts if isinstance(item, HostPlan) and is_actionable(item)]


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done on one host: the outcome of every intent, and the fault that ended it early, if any.

    ``removals`` are those of containers, volumes and networks. ``guard`` is a guard that tripped when the host was
    reached again: then nothing was sent.
    """

    removals: tuple[Removal, ...]
    fault: Fault | None
    duration_s: float
    guard: Guard | None = None


def apply(
    plans: Sequence[HostPlan],
    policies: Mapping[str, Policy],
    connect: ConnectConfig,
    log_for: Callable[[HostPlan], IntentLog],
    options: RemovalOptions,
    *,
    on_done: OnDone | None = None,
    on_applied: Callable[[HostPlan, Applied], None] | None = None,
) -> dict[str, Applied]:
    """Remove the candidates of every plan and verify it, all hosts in parallel. Return the results by host name.

    ``on_applied`` is called in the calling thread with each host's result once it is durable. It must not raise.
    """
    by_name = {item.host.name: item for item in plans}
    ledgers = {item.host.name: Ledger(log_for(item)) for item in plans}
    runner = connect.runner or ThreadRunner(connect.connector(), connect.stopped)

    def work(host: Host, deadline: Deadline) -> Fault | Guard | None:
        return runner.apply(
            by_name[host.name],
            policies[host.name],
            ledgers[host.name],
            deadline,
            options,
        )

    applied: dict[str, Applied] = {}

    def ended(position: int, done: workers.HostResult[Fault | Guard | None]) -> None:
        name = done.host.name
        try:
            applied[name] = _applied(done, ledgers[name])
        except Exception as error:  # one host's bug must not cost the others their rows
            log.exception("a bug while summing up %s", name)
            applied[name] = Applied((), Fault.of_bug(error), done.duration_s)
        if on_applied is not None:
            on_applied(plans[position], applied[name])
        if on_done is not None:
            on_done(done.host)

    workers.run_each(
        [item.host for item in plans],
        work,
        connect.limits,
        ended,
        stopped=connect.stopped,
        may_retry=lambda host: not ledgers[host.name].begun,
    )
    return applied


def _applied(done: workers.HostResult[Fault | Guard | None], ledger: Ledger) -> Applied:
    removals = ledger.close()
    guard = done.value if isinstance(done.value, Guard) else None
    fault = done.fault or (done.value if isinstance(done.value, Fault) else None)
    fault = fault or (journal_fault(ledger.trouble) if ledger.trouble else None)
    return Applied(removals, fault, done.duration_s, guard)


def host_reports(
    fleet_plan: FleetPlan, applied: Mapping[str, Applied], settled: Mapping[str, tuple[Settlement, ...]]
) -> tuple[HostReport, ...]:
    """Return the row of every selected host, in inventory order. Pure."""
    return tuple(
        replace(host_report(item, applied.get(item.host.name)), settled=settled.get(item.host.name, ()))
        for item in fleet_plan.hosts
    )


def host_report(item: HostPlan | FailedSurvey, applied: Applied | None) -> HostReport:
    """Return one host's row. ``applied`` is None if nothing was removed there."""
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
        fault = Fault(Status.INTERRUPTED, None, FaultKind.STOPPED, f"stopped with {undone} candidates left untouched")
    resource_ids = {resource.id for resource in item.resources}
    failed = any(result.outcome in {Outcome.FAILED, Outcome.UNKNOWN} for result in applied.removals)
    status = fault.status if fault is not None else Status.FAILED if failed else Status.OK
    return HostReport(
        item.host,
        status,
        plan=item,
        fault=fault,
        removals=tuple(each for each in applied.removals if each.container_id not in resource_ids),
        resources=tuple(each for each in applied.removals if each.container_id in resource_ids),
        duration_s=duration_s + applied.duration_s,
    )
