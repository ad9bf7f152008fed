"""How far each host is reached, phase by phase: the beginning of every survey, shown. Nothing but GET is sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from fleetsweep.cli.config import RunConfig
from fleetsweep.cli.signals import SignalHandler
from fleetsweep.console import deliver, leave, progress
from fleetsweep.engine import READ_ONLY
from fleetsweep.errors import Phase
from fleetsweep.model.decision import Guard
from fleetsweep.model.host import Host
from fleetsweep.model.report import Checkup, HostReport
from fleetsweep.model.survey import FailedSurvey, Status, Survey
from fleetsweep.policy.guards import plan_fleet
from fleetsweep.policy.rules import Policy
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.sweep import workers as fleet
from fleetsweep.sweep.connect import engine_on
from fleetsweep.sweep.phases import ConnectConfig, reaching, run_over

REMEDIES_S: Final = 10.0
"""Seconds for working out the commands that are printed, for all hosts together."""


@dataclass(frozen=True, slots=True)
class _Seen:
    survey: Survey
    round_trip_s: float


def examine(
    hosts: Sequence[Host],
    policies: Mapping[str, Policy],
    reach: ConnectConfig,
    on_done: Callable[[Host], None] | None = None,
    *,
    identify: bool = False,
) -> tuple[Checkup, ...]:
    """Reach every host, in parallel. ``identify`` asks each engine for its id, which otherwise only a pin does."""
    told: dict[str, dict[Phase, Mapping[str, str]]] = {host.name: {} for host in hosts}

    def look(host: Host, deadline: Deadline) -> _Seen:
        tell = told[host.name].__setitem__
        with engine_on(host, reach.ssh, reach.bastions, deadline, READ_ONLY, observe=tell) as client:
            engine = client.engine
            if identify or policies[host.name].engine_id is not None:
                engine = replace(engine, id=client.engine_id())
            # The clock is read before the list, which a big engine takes long over.
            round_trip_s = client.round_trip_s()
            listing = client.list_containers()
            policy = policies[host.name]
            policy.matcher.look_at(policy.names, [container.name for container in listing.containers])
        return _Seen(Survey(host, engine, listing.now_ns, listing.skew_s, listing.containers, 0.0), round_trip_s)

    results = run_over(hosts, look, reach, on_done)
    guards = _guards(results, policies)
    until = time.monotonic() + REMEDIES_S
    return tuple(
        _checkup(done, dict(told[done.host.name]), guards.get(done.host.name), reach, until) for done in results
    )


def _guards(results: Sequence[fleet.HostResult[_Seen]], policies: Mapping[str, Policy]) -> dict[str, Guard]:
    """The guards that would stop a sweep whatever it found: of the clock, and of who the engine is."""
    uncapped = {name: replace(policy, cap=None) for name, policy in policies.items()}
    plan = plan_fleet([done.value.survey for done in results if done.value is not None], uncapped)
    return {
        item.host.name: item.guard
        for item in plan.hosts
        if not isinstance(item, FailedSurvey) and item.guard is not None
    }


def _checkup(
    done: fleet.HostResult[_Seen],
    seen: Mapping[Phase, Mapping[str, str]],
    guard: Guard | None,
    reach: ConnectConfig,
    until: float,
) -> Checkup:
    status = done.fault.status if done.fault is not None else Status.GUARDED if guard is not None else Status.OK
    found = Checkup(done.host, status, seen, fault=done.fault, guard=guard, duration_s=done.duration_s)
    if done.value is not None:
        survey = done.value.survey
        found = replace(
            found,
            engine=survey.engine,
            containers=len(survey.containers),
            skew_s=survey.skew_s,
            round_trip_s=done.value.round_trip_s,
        )
    if status is Status.OK or (done.fault is not None and done.fault.bug):
        return found
    # Here and not above: a fleet that is well needs none, and --local no SSH client.
    from fleetsweep.ssh.diagnosis import command_for

    commands: list[str] = []
    # It reads the host's SSH configuration again, which may lie on a mount that is dead.
    thread = threading.Thread(
        target=lambda: commands.append(command_for(done.host, reach.ssh, done.fault, guard)),
        name="fleetsweep-remedy",
        daemon=True,
    )
    thread.start()
    thread.join(max(0.1, until - time.monotonic()))
    return replace(found, command=commands[0] if commands else "")


def execute(request: RunConfig) -> NoReturn:
    """Examine, print, and exit as the table of exit codes says."""
    from fleetsweep.report import exit_code, render_checkups

    stopper = SignalHandler(request.reach.stopped)
    if request.unexpected is not None:
        found = tuple(Checkup(host, Status.GUARDED, {}, guard=request.unexpected) for host in request.hosts)
    else:
        stopper.install()
        identify = request.output.verbose or request.output.style == "json"
        with (
            reaching(request.hosts, request.reach) as reach,
            progress("Examining", len(request.hosts), request.output) as advance,
        ):
            found = examine(request.hosts, request.policies, reach, advance, identify=identify)
    rows = [HostReport(item.host, item.status, fault=item.fault, guard=item.guard) for item in found]
    code = exit_code(rows, request.unexpected, fail_on_stale=False, stopped_by=stopper.signal)
    text = render_checkups(found, code, request.output.style, verbose=request.output.verbose)
    leave(deliver(text, request.output, code))
