"""One run of the one-way flow, from the selected hosts to the exit code: it wires, asks, tells, and decides nothing."""

from __future__ import annotations

import logging
import os
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from fleetsweep.cli.config import RunConfig
from fleetsweep.cli.signals import SignalHandler
from fleetsweep.console import Output, count, deliver, note, progress, say, warn
from fleetsweep.errors import FleetsweepError, UsageError
from fleetsweep.exit_codes import BUG, INCOMPLETE, OK, worst
from fleetsweep.model.decision import FleetPlan, Guard, HostPlan
from fleetsweep.model.journal import OpenIntent, Settlement
from fleetsweep.model.report import FleetReport, HostReport
from fleetsweep.model.survey import FailedSurvey, Fault, Status, Survey
from fleetsweep.notify.dispatch import NotifyConfig, notify
from fleetsweep.policy.guards import guard_fleet, plan_fleet
from fleetsweep.policy.identity import identity_of, to_identify
from fleetsweep.policy.last_seen import mark_silent

if TYPE_CHECKING:
    from fleetsweep.store.journal import Journal
    from fleetsweep.store.plan_file import SavedPlan
    from fleetsweep.sweep.phases import Applied, ConnectConfig


log = logging.getLogger(__name__)


def execute(config: RunConfig) -> int:
    """Carry out a run, print its report and return its exit code.

    Raises UsageError as long as nobody was contacted.
    """
    run_id = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ-") + secrets.token_hex(3)
    started_ns = time.time_ns()
    if config.output.save_plan is not None:
        from fleetsweep.store.plan_file import check_target

        check_target(config.output.save_plan)
    if config.unexpected is not None:
        guarded = [HostReport(host, Status.GUARDED, guard=config.unexpected) for host in config.hosts]
        done = _report(config, run_id, started_ns, guarded, config.unexpected, None)
        code = _print_report(done, config.output)
        return notify(replace(done, exit_code=code), config.telling.without_journal())
    stopper = SignalHandler(config.reach.stopped)
    stopper.install()
    with ExitStack() as stack:
        # Opened first: a state directory that can't be used must be told before anyone is contacted.
        journal = _open_journal(config, run_id)
        if journal is not None:
            stack.enter_context(journal)
        config = with_holds(config)
        last_looks = _last_looks(config, journal)
        course = _carry_out(config, run_id, journal, stopper, stack)
        rows = _rows(config, course)
        guard = course.plan.guard if course.plan is not None else None
        if config.max_silence_s is not None:
            rows = mark_silent(rows, last_looks, started_ns, config.max_silence_s)
        done = _report(config, run_id, started_ns, rows, guard, stopper.signal)
        code = _print_report(done, config.output)
        code = worst(code, OK if course.whole else INCOMPLETE, OK if course.bug is None else BUG)
        telling = _with_memory(config, journal)
        try:
            if journal is not None:
                journal.finish(
                    replace(done, exit_code=code),
                    looked=config.saved is None,
                    forget_before_ns=_forget_before(config, journal, done),
                )
        except FleetsweepError as error:
            warn(f"{error}: this run is missing in the journal")
            code = worst(code, INCOMPLETE) if config.remove else code
    return notify(replace(done, exit_code=code), telling)


def _forget_before(config: RunConfig, journal: Journal, done: FleetReport) -> int | None:
    """Before when runs and holds may be forgotten; None where this machine's clock may be wrong."""
    from fleetsweep.policy.retention import clock_is_sound
    from fleetsweep.store.journal import KEPT_NS

    if config.saved is not None:
        # The skews in its rows are of the look that made the plan.
        return None
    skews = [row.plan.skew_s for row in done.hosts if row.plan is not None]
    if not clock_is_sound(skews, journal.previous_run_ns(), done.started_ns, done.finished_ns):
        return None
    return min(done.started_ns, done.finished_ns) - KEPT_NS


def _open_journal(config: RunConfig, run_id: str) -> Journal | None:
    """The journal; an audit goes on without one."""
    from fleetsweep.store.journal import Journal

    try:
        return Journal(config.state_dir, run_id, config.command, dry_run=config.dry_run)
    except UsageError as error:
        # Without a journal nobody can tell how long a host has been silent.
        if config.remove or config.max_silence_s is not None:
            raise
        warn(f"{error}: this look is not remembered")
        return None


def _carry_out(
    config: RunConfig, run_id: str, journal: Journal | None, stopper: SignalHandler, stack: ExitStack
) -> _Course:
    """The phases, under the lock that one sweep holds."""
    from fleetsweep.store.state_dir import sweep_lock
    from fleetsweep.sweep import phases

    holder = f"run {run_id} (process {os.getpid()})"
    if config.remove:
        lock = sweep_lock(
            config.state_dir,
            holder,
            config.lock_wait_s,
            config.reach.stopped,
            lambda text: note(text, config.output),
        )
        if not stack.enter_context(lock):
            fault = Fault(Status.INTERRUPTED, None, "stopped", "stopped while it waited for another sweep")
            return _Course(plan=FleetPlan(tuple(FailedSurvey(host, fault, 0.0) for host in config.hosts)))
    with phases.open_bastions(config.hosts, config.reach) as reach:
        return _look_and_act(config, run_id, journal, stopper, reach, holder)


@dataclass(slots=True)
class _Course:
    """How far a run has come: what is reported if a bug ends it early.

    ``whole`` says whether all that was to be written was.
    """

    plan: FleetPlan | None = None
    settled: Mapping[str, tuple[Settlement, ...]] = field(default_factory=dict)
    applied: Mapping[str, Applied] = field(default_factory=dict)
    whole: bool = True
    bug: Exception | None = None


def _look_and_act(
    config: RunConfig, run_id: str, journal: Journal | None, stopper: SignalHandler, reach: ConnectConfig, holder: str
) -> _Course:
    """The phases, one after the other. A bug in one ends them; what was done by then is kept."""
    course = _Course()
    try:
        _look(config, journal, reach, holder, course)
        _act(config, run_id, journal, stopper, reach, course)
    except FleetsweepError:
        raise
    except Exception as error:
        log.exception("a bug in the run")
        course.bug = error
    return course


def _look(config: RunConfig, journal: Journal | None, reach: ConnectConfig, holder: str, course: _Course) -> None:
    """Survey, plan and settle; or take the plan that was saved."""
    from fleetsweep.policy.reconcile import settle
    from fleetsweep.sweep import phases

    if config.saved is not None:
        plan = guard_fleet(config.saved.plan.hosts, config.policies, config.fleet_cap)
        course.plan = replace(plan, guard=config.saved.plan.guard or plan.guard)
        return
    # Read before the look: what a sweep does meanwhile is not to be settled by what was seen before it.
    open_intents = _open_intents(config, journal, holder)
    acts = config.remove or config.output.save_plan is not None
    concerned = to_identify(config.hosts, open_intents)
    with progress("Surveying", len(config.hosts), config.output) as advance:
        surveys = phases.survey(
            config.hosts,
            config.policies,
            reach,
            advance,
            identify=lambda host: acts or host in concerned,
            kinds=config.resource_kinds,
        )
    course.plan = plan_fleet(surveys, config.policies, config.fleet_cap)
    course.settled = settle(open_intents, surveys)
    try:
        if journal is not None:
            journal.settle(course.settled)
    except FleetsweepError as error:
        warn(f"{error}: what was settled is not remembered")


def _act(
    config: RunConfig,
    run_id: str,
    journal: Journal | None,
    stopper: SignalHandler,
    reach: ConnectConfig,
    course: _Course,
) -> None:
    """Save the plan, ask, and remove."""
    from fleetsweep.sweep import phases

    plan = course.plan
    if plan is None:
        return
    course.whole = _save_plan(config, run_id, plan, stopper)
    todo = phases.actionable(plan)
    if not (config.remove and journal is not None and todo) or config.reach.stopped.is_set():
        return
    if not (config.yes or _confirmed(todo, stopper, verbose=config.output.verbose)):
        return
    try:
        # Somebody may have held one while the plan was looked at: its second look tells.
        config = with_holds(config)
        journal.record_plan(_plan_document(config, run_id, plan))
    except FleetsweepError as error:
        # The hosts were looked at by now: they have their rows, and nothing is removed from any of them.
        course.applied = {item.host.name: phases.Applied((), phases.journal_fault(error), 0.0) for item in todo}
        return
    with progress("Removing", len(todo), config.output) as advance:
        course.applied = phases.apply(
            todo,
            config.policies,
            reach,
            lambda item: journal.for_host(item.host, identity_of(item.host, item.engine)),
            volumes=config.volumes,
            on_done=advance,
        )


def _rows(config: RunConfig, course: _Course) -> Sequence[HostReport]:
    """Every selected host's row, whatever happened."""
    from fleetsweep.sweep import phases

    fault = Fault.of_bug(course.bug) if course.bug is not None else None
    if course.plan is None:
        return [HostReport(host, Status.FAILED, fault=fault) for host in config.hosts]
    rows = phases.host_reports(course.plan, course.applied, course.settled)
    if fault is None or not config.remove:
        return rows
    # Nobody knows what became of a host that had work when the bug came.
    unknown = {item.host.name for item in phases.actionable(course.plan)} - set(course.applied)
    return [replace(row, status=Status.FAILED, fault=fault) if row.host.name in unknown else row for row in rows]


def with_holds(config: RunConfig) -> RunConfig:
    """The config with the holds there are now. Raises UsageError where that can't be told and something may go."""
    from fleetsweep.store.journal import holds

    try:
        found = {hold.container_id: hold.words for hold in holds(config.state_dir, time.time_ns())}
    except UsageError as error:
        if config.remove:
            raise
        warn(f"{error}: holds are not known")
        return config
    if not found:
        return config
    return replace(config, policies={name: replace(rule, held=found) for name, rule in config.policies.items()})


def _with_memory(config: RunConfig, journal: Journal | None) -> NotifyConfig:
    """Whom to tell, and what only the journal knows of that."""
    telling = config.telling
    if journal is None:
        return telling.without_journal()
    if telling.push_gateway is None or telling.metrics is not None:
        return telling
    try:
        return replace(telling, last_successes=journal.last_successes(config.command))
    except FleetsweepError as error:
        warn(f"{error}: the last successes of hosts that fail now are not pushed")
        return telling


def _last_looks(config: RunConfig, journal: Journal | None) -> Mapping[str, int]:
    """When each host was looked at last, where that is asked for. Raises UsageError."""
    if journal is None or config.max_silence_s is None:
        return {}
    try:
        return journal.last_looks()
    except FleetsweepError as error:
        raise UsageError(f"--max-silence: {error}") from error


def _open_intents(config: RunConfig, journal: Journal | None, holder: str) -> Sequence[OpenIntent]:
    """What earlier runs left open. While another sweep runs, its intents are open for good reason: none then."""
    from fleetsweep.store.state_dir import try_sweep_lock

    if journal is None:
        return ()
    try:
        if config.remove:
            return journal.open_intents()
        with try_sweep_lock(config.state_dir, holder) as free:
            return journal.open_intents() if free else ()
    except FleetsweepError as error:
        if config.remove:
            raise UsageError(str(error)) from error
        return ()


def _saved(config: RunConfig, run_id: str, plan: FleetPlan) -> SavedPlan:
    from fleetsweep.store.plan_file import SavedPlan, cap_object, policy_object

    policies = {name: policy_object(policy) for name, policy in config.policies.items()}
    return SavedPlan(plan, run_id, time.time_ns(), config.flags, cap_object(config.fleet_cap), policies)


def _plan_document(config: RunConfig, run_id: str, plan: FleetPlan) -> str:
    from fleetsweep.store.plan_file import summarize

    return summarize(_saved(config, run_id, plan))


def _save_plan(config: RunConfig, run_id: str, plan: FleetPlan, stopper: SignalHandler) -> bool:
    path = config.output.save_plan
    if path is None:
        return True
    if stopper.signal is not None:
        note(f"{path}: no plan was saved: the look was not finished", config.output)
        return True
    from fleetsweep.store.plan_file import save

    try:
        save(_saved(config, run_id, plan), path)
    except (OSError, UsageError) as error:
        say(
            f"no plan was saved: {error if isinstance(error, UsageError) else f'--save-plan: {path}: {error.strerror}'}"
        )
        return False
    return True


def _report(
    config: RunConfig,
    run_id: str,
    started_ns: int,
    rows: Sequence[HostReport],
    guard: Guard | None,
    stopped_by: int | None,
) -> FleetReport:
    from fleetsweep.report import exit_code

    code = exit_code(rows, guard, fail_on_stale=config.output.fail_on_stale, stopped_by=stopped_by)
    return FleetReport(run_id, config.command, config.dry_run, started_ns, time.time_ns(), code, tuple(rows), guard)


def _confirmed(todo: Sequence[HostPlan], stopper: SignalHandler, *, verbose: bool) -> bool:
    """Show the plan and ask. Only y or yes is a yes; the end of input is a no."""
    from fleetsweep.report import confirmation

    containers = sum(len(item.candidates) for item in todo)
    stopper.asking = True
    try:
        click.echo(confirmation(todo, verbose=verbose), nl=False, err=True)
        where = count(len(todo), "host")
        click.echo(f"Remove {count(containers, 'container')} on {where}? [y/N] ", nl=False, err=True)
        answer = sys.stdin.readline()
    except (KeyboardInterrupt, OSError):
        # OSError: the terminal hung up.
        answer = ""
        say("")
    finally:
        stopper.asking = False
    if answer.strip().lower() in {"y", "yes"}:
        return True
    say("Nothing was removed.")
    return False


def _print_report(done: FleetReport, output: Output) -> int:
    """Print the report, and answer the exit code."""
    from fleetsweep.report import printable, render

    color = output.path is None and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    try:
        text = render(done, output.style, verbose=output.verbose, color=color)
    except Exception:
        log.exception("a bug in the report")
        text = "".join(f"{printable(row.host.name)}: {row.status}\n" for row in done.hosts)
        return deliver(text, output, worst(done.exit_code, BUG))
    return deliver(text, output, done.exit_code)


def look(config: RunConfig) -> tuple[Sequence[Survey | FailedSurvey], FleetPlan]:
    """Survey and plan alone, for a command that explains what a sweep would do."""
    from fleetsweep.sweep import phases

    with (
        phases.open_bastions(config.hosts, config.reach) as reach,
        progress("Surveying", len(config.hosts), config.output) as advance,
    ):
        surveys = phases.survey(config.hosts, config.policies, reach, advance)
    return surveys, plan_fleet(surveys, config.policies, config.fleet_cap)
