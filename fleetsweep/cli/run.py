"""The pipeline of audit, sweep and teardown: survey, plan, ask, remove, report, notify. Returns the exit code.

What is stale and what a guard stops is decided in ``policy``; which exit code counts, in ``exit_codes``.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fleetsweep.cli import run_journal
from fleetsweep.cli.confirm import confirmed
from fleetsweep.cli.final_rows import FinalRows, SurveyTaker
from fleetsweep.cli.print_report import make_report, print_report
from fleetsweep.cli.progress import progress
from fleetsweep.cli.signals import SignalHandler
from fleetsweep.console import note, say_wrapped, warn
from fleetsweep.errors import FaultKind, FleetsweepError, UsageError
from fleetsweep.exit_codes import BUG, INCOMPLETE, OK, worst
from fleetsweep.model.decision import FleetPlan
from fleetsweep.model.report import HostReport
from fleetsweep.model.survey import FailedSurvey, Fault, Status
from fleetsweep.notify.dispatch import notify
from fleetsweep.policy.guards import FleetPlanner, guard_fleet, plan_fleet
from fleetsweep.policy.identity import identity_of, to_identify
from fleetsweep.policy.last_seen import mark_silent

if TYPE_CHECKING:
    from fleetsweep.cli.config import RunConfig
    from fleetsweep.cli.print_rows import RowPrinter
    from fleetsweep.model.intent import OpenIntent, Settlement
    from fleetsweep.model.survey import Survey
    from fleetsweep.policy.reconcile import Concern
    from fleetsweep.store.journal import Journal
    from fleetsweep.store.plan_file import SavedPlan
    from fleetsweep.sweep.phases import Applied, ConnectConfig


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Run:
    """One run. ``journal`` is None where an audit goes on without one. ``final`` are its rows that can't change."""

    config: RunConfig
    run_id: str
    journal: Journal | None
    signals: SignalHandler
    final: FinalRows

    @property
    def holder(self) -> str:
        """The name that this run's lock carries."""
        return f"run {self.run_id} (process {os.getpid()})"


@dataclass(slots=True)
class RunProgress:
    """The results of the phases so far: what is reported if a bug ends the run early.

    ``saved`` is False where the plan could not be saved.
    """

    plan: FleetPlan | None = None
    settled: Mapping[str, tuple[Settlement, ...]] = field(default_factory=dict)
    applied: Mapping[str, Applied] = field(default_factory=dict)
    saved: bool = True
    bug: Exception | None = None


def execute(config: RunConfig) -> int:
    """Carry out a run, print its report, notify of it and return its exit code.

    Raises UsageError as long as no host was contacted.
    """
    run_id = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ-") + secrets.token_hex(3)
    started_ns = time.time_ns()
    if config.output.save_plan is not None:
        from fleetsweep.store.plan_file import check_target

        check_target(config.output.save_plan)
    if config.unexpected is not None:
        guarded = [HostReport(host, Status.GUARDED, guard=config.unexpected) for host in config.hosts]
        report = make_report(config, run_id, started_ns, guarded, config.unexpected, None)
        code = print_report(report, config.output)
        return notify(replace(report, exit_code=code), config.notify.without_journal())
    signals = SignalHandler(config.connect.stopped)
    signals.install()
    with ExitStack() as stack:
        # Opened first: an unusable state directory must be reported before any host is contacted.
        journal = run_journal.open_journal(config, run_id)
        if journal is not None:
            stack.enter_context(journal)
        config = run_journal.with_holds(config)
        last_looks = run_journal.last_looks(config, journal)
        printer = _row_printer(config, stack)

        def finish(row: HostReport) -> HostReport:
            limit_s = config.max_silence_s
            return row if limit_s is None else mark_silent(row, last_looks, started_ns, limit_s)

        take = [run_journal.row_recorder(config, journal)] if journal is not None else []
        take += [printer.print] if printer is not None else []
        run = Run(config, run_id, journal, signals, FinalRows(config.remove, finish, take))
        done = _run_phases(run, stack)
        left = {row.host.name: finish(row) for row in _rows_left(run, done)}
        rows = [run.final.rows.get(host.name) or left[host.name] for host in config.hosts]
        guard = done.plan.guard if done.plan is not None else None
        report = make_report(config, run_id, started_ns, rows, guard, signals.signal)
        if done.bug is not None:
            # Its rows may all have been final before.
            report = replace(report, exit_code=worst(report.exit_code, BUG))
        report = run_journal.with_warnings(config, journal, report)
        code = print_report(report, config.output) if printer is None else printer.finish(report, config.output)
        code = worst(code, OK if done.saved else INCOMPLETE)
        sent = run_journal.with_past(config, journal, report)
        code = run_journal.finish(config, journal, replace(report, exit_code=code))
        sent = run_journal.with_counters(config, journal, sent)
    return notify(replace(report, exit_code=code), sent)


def _row_printer(config: RunConfig, stack: ExitStack) -> RowPrinter | None:
    """Return what prints the rows while the run goes on, where the format allows that."""
    if not config.output.streams:
        return None
    from fleetsweep.cli.print_rows import RowPrinter

    return stack.enter_context(RowPrinter())


def _run_phases(run: Run, stack: ExitStack) -> RunProgress:
    """Run the phases; those that remove hold the lock of which there is one per state directory."""
    from fleetsweep.store.state_dir import sweep_lock
    from fleetsweep.sweep import phases

    config = run.config
    if config.remove:
        lock = sweep_lock(
            config.state_dir,
            run.holder,
            config.lock_wait_s,
            config.connect.stopped,
            lambda text: note(text, config.output),
        )
        if not stack.enter_context(lock):
            fault = Fault(Status.INTERRUPTED, None, FaultKind.STOPPED, "stopped while it waited for another sweep")
            return RunProgress(plan=FleetPlan(tuple(FailedSurvey(host, fault, 0.0) for host in config.hosts)))
    done = RunProgress()
    with phases.open_bastions(config.hosts, config.connect) as connect:
        try:
            _survey_and_plan(run, connect, done)
            _remove(run, connect, done)
        except FleetsweepError:
            raise
        except Exception as error:
            log.exception("a bug in the run")
            done.bug = error
    return done


def _survey_and_plan(run: Run, connect: ConnectConfig, done: RunProgress) -> None:
    """Survey the hosts, plan, and reconcile what earlier runs left open; or take the saved plan."""
    from fleetsweep.sweep import phases

    config = run.config
    history = run_journal.stale_counts(config)
    if config.saved is not None:
        plan = guard_fleet(config.saved.plan.hosts, config.policies, config.fleet_cap, history)
        done.plan = replace(plan, guard=config.saved.plan.guard or plan.guard)
        run.final.all_planned(done.plan, done.settled)
        return
    # Read before the survey: an intent that another sweep adds meanwhile can't be reconciled with an older survey.
    open_intents = run_journal.open_intents(config, run.journal, run.holder)
    acts = config.remove or config.output.save_plan is not None
    concerned = to_identify(config.hosts, open_intents)
    planner = FleetPlanner(len(config.hosts), config.policies, history)
    taker = SurveyTaker(planner, _concern(open_intents), run.final)
    with progress("Surveying", config.hosts, config.output) as advance:
        phases.survey_each(
            config.hosts,
            config.policies,
            connect,
            taker,
            advance,
            identify=lambda host: acts or host in concerned,
            kinds=config.resource_kinds,
        )
    done.plan = planner.finish(config.fleet_cap)
    if open_intents:
        from fleetsweep.policy.reconcile import settle

        done.settled = settle(open_intents, taker.kept)
    run.final.all_planned(done.plan, done.settled)
    try:
        if run.journal is not None:
            run.journal.settle(done.settled)
    except FleetsweepError as error:
        warn(f"{error}: what became of earlier removals is not recorded")


def _concern(open_intents: Sequence[OpenIntent]) -> Concern | None:
    """Return which surveys may settle an intent; None where none is open."""
    if not open_intents:
        return None
    from fleetsweep.policy.reconcile import Concern

    return Concern(open_intents)


def _remove(run: Run, connect: ConnectConfig, done: RunProgress) -> None:
    """Save the plan, ask, and remove."""
    from fleetsweep.sweep import phases
    from fleetsweep.sweep.one_host import RemovalOptions, journal_fault

    config, journal, plan = run.config, run.journal, done.plan
    if plan is None:
        return
    done.saved = _save_plan(run, plan)
    todo = phases.actionable(plan)
    if not (config.remove and journal is not None and todo) or config.connect.stopped.is_set():
        return
    if not (config.yes or confirmed(todo, run.signals, verbose=config.output.verbose)):
        return
    try:
        # A hold that was placed while the question was open counts at the second look.
        config = run_journal.with_holds(config)
        journal.record_plan(_plan_document(run, plan))
    except FleetsweepError as error:
        # The hosts were surveyed by now, so each has its row, and nothing is removed from any of them.
        done.applied = {item.host.name: phases.Applied((), journal_fault(error), 0.0) for item in todo}
        return
    with progress("Removing", [item.host for item in todo], config.output) as advance:
        done.applied = phases.apply(
            todo,
            config.policies,
            connect,
            lambda item: journal.for_host(item.host, identity_of(item.host, item.engine), item.candidates),
            RemovalOptions(config.volumes, config.evidence),
            on_done=advance,
            on_applied=lambda item, applied: run.final.applied(item, applied, done.settled),
        )


def _rows_left(run: Run, done: RunProgress) -> Sequence[HostReport]:
    """Return the row of every selected host that has no final one, whatever happened."""
    from fleetsweep.sweep import phases

    final = run.final.rows
    fault = Fault.of_bug(done.bug) if done.bug is not None else None
    if done.plan is None:
        return [HostReport(host, Status.FAILED, fault=fault) for host in run.config.hosts if host.name not in final]
    left = FleetPlan(tuple(item for item in done.plan.hosts if item.host.name not in final))
    rows = phases.host_reports(left, done.applied, done.settled)
    if fault is None or not run.config.remove:
        return rows
    # The removals on a host that was being worked on when the bug came are unknown.
    unknown = {item.host.name for item in phases.actionable(done.plan)} - set(done.applied)
    return [replace(row, status=Status.FAILED, fault=fault) if row.host.name in unknown else row for row in rows]


def _saved_plan(run: Run, plan: FleetPlan) -> SavedPlan:
    from fleetsweep.store.plan_file import SavedPlan, cap_object, policy_object

    config = run.config
    policies = {name: policy_object(policy) for name, policy in config.policies.items()}
    return SavedPlan(plan, run.run_id, time.time_ns(), config.flags, cap_object(config.fleet_cap), policies)


def _plan_document(run: Run, plan: FleetPlan) -> str:
    from fleetsweep.store.plan_file import summarize

    return summarize(_saved_plan(run, plan))


def _save_plan(run: Run, plan: FleetPlan) -> bool:
    """Save the plan where that is asked for; return whether nothing went wrong."""
    path = run.config.output.save_plan
    if path is None:
        return True
    if run.signals.signal is not None:
        note(f"{path}: no plan was saved: the survey was not finished", run.config.output)
        return True
    from fleetsweep.store.plan_file import save

    try:
        save(_saved_plan(run, plan), path)
    except UsageError as error:
        say_wrapped(f"no plan was saved: {error}")
        return False
    except OSError as error:
        say_wrapped(f"no plan was saved: --save-plan: {path}: {error.strerror}")
        return False
    return True


def survey_and_plan(config: RunConfig) -> tuple[Sequence[Survey | FailedSurvey], FleetPlan]:
    """Survey and plan, for a command that shows what a sweep would do."""
    history = run_journal.stale_counts(config)
    surveys = survey_hosts(config)
    return surveys, plan_fleet(surveys, config.policies, config.fleet_cap, history)


def survey_hosts(config: RunConfig) -> Sequence[Survey | FailedSurvey]:
    """Survey the selected hosts, and nothing more."""
    from fleetsweep.sweep import phases

    with (
        phases.open_bastions(config.hosts, config.connect) as connect,
        progress("Surveying", config.hosts, config.output) as advance,
    ):
        return phases.survey(config.hosts, config.policies, connect, advance)
