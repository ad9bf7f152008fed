"""Check how far each host can be reached, phase by phase. Sends nothing but GET."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fleetsweep.engine import READ_ONLY
from fleetsweep.errors import Phase
from fleetsweep.model.checkup import Checkup
from fleetsweep.model.decision import Guard
from fleetsweep.model.host import Host
from fleetsweep.model.survey import FailedSurvey, Status, Survey
from fleetsweep.policy.guards import plan_fleet
from fleetsweep.policy.rules import Policy
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.sweep import workers
from fleetsweep.sweep.phases import ConnectConfig, run_on_hosts

REMEDIES_S: Final = 10.0
"""Time budget, in seconds, for working out the suggested commands of all hosts together."""


@dataclass(frozen=True, slots=True)
class _Observation:
    survey: Survey
    round_trip_s: float


def examine(
    hosts: Sequence[Host],
    policies: Mapping[str, Policy],
    connect: ConnectConfig,
    on_done: Callable[[Host], None] | None = None,
    *,
    identify: bool = False,
) -> tuple[Checkup, ...]:
    """Connect to every host in parallel and return a checkup for each, in the order given.

    ``identify`` asks each engine for its id; without it only engines with a pinned id are asked.
    """
    phases: dict[str, dict[Phase, Mapping[str, str]]] = {host.name: {} for host in hosts}

    def look(host: Host, deadline: Deadline) -> _Observation:
        observe = phases[host.name].__setitem__
        with connect.connector(observe).open(host, deadline, READ_ONLY) as client:
            engine = client.engine
            policy = policies[host.name]
            if identify or policy.engine_id is not None:
                engine = replace(engine, id=client.engine_id())
            # Before the list: a busy engine takes long over a list, which would spoil the measurement.
            round_trip_s = client.round_trip_s()
            listing = client.list_containers()
            policy.matcher.look_at(policy.names, [container.name for container in listing.containers])
        return _Observation(Survey(host, engine, listing.now_ns, listing.skew_s, listing.containers, 0.0), round_trip_s)

    results = run_on_hosts(hosts, look, connect, on_done)
    guards = _guards(results, policies)
    until = time.monotonic() + REMEDIES_S
    return tuple(
        _checkup(done, dict(phases[done.host.name]), guards.get(done.host.name), connect, until) for done in results
    )


def _guards(results: Sequence[workers.HostResult[_Observation]], policies: Mapping[str, Policy]) -> dict[str, Guard]:
    """Return, by host name, the guards that would stop any sweep there: clock skew and engine identity."""
    uncapped = {name: replace(policy, cap=None) for name, policy in policies.items()}
    plan = plan_fleet([done.value.survey for done in results if done.value is not None], uncapped)
    return {
        item.host.name: item.guard
        for item in plan.hosts
        if not isinstance(item, FailedSurvey) and item.guard is not None
    }


def _checkup(
    done: workers.HostResult[_Observation],
    phases: Mapping[Phase, Mapping[str, str]],
    guard: Guard | None,
    connect: ConnectConfig,
    until: float,
) -> Checkup:
    status = done.fault.status if done.fault is not None else Status.GUARDED if guard is not None else Status.OK
    found = Checkup(done.host, status, phases, fault=done.fault, guard=guard, duration_s=done.duration_s)
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
    # Imported late: a healthy fleet needs no commands, and --local no SSH client.
    from fleetsweep.ssh.diagnosis import command_for

    commands: list[str] = []
    # In a thread, because it reads the host's SSH configuration again, which may lie on a dead mount.
    thread = threading.Thread(
        target=lambda: commands.append(command_for(done.host, connect.ssh, done.fault, guard)),
        name="fleetsweep-remedy",
        daemon=True,
    )
    thread.start()
    thread.join(max(0.1, until - time.monotonic()))
    return replace(found, command=commands[0] if commands else "")
