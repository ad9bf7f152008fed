"""Reports to print: a small fleet with one host of each kind, and the parts to make others."""

from __future__ import annotations

import hashlib

from fleetsweep.errors import FaultKind, Phase
from fleetsweep.model.container import SECOND, Container
from fleetsweep.model.decision import AgeFrom, Decision, Guard, GuardName, HostPlan, Reason, Selector, Verdict
from fleetsweep.model.host import Host
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.report import FleetReport, HostReport
from fleetsweep.model.survey import Engine, Fault, Status

NOW_NS = 1_781_506_800 * SECOND
"""2026-06-15T07:00:00Z."""

HOUR_S = 3_600
DAY_S = 86_400


def container_id(seed: str) -> str:
    """An id that looks like an engine's, the same for the same ``seed``."""
    return hashlib.sha256(seed.encode("utf-8", "surrogatepass")).hexdigest()


def container(
    name: str = "ws-1",
    *,
    age_s: int = 2 * DAY_S,
    created_age_s: int | None = None,
    image: str = "molecule-local/workspace-template-a:latest",
    state: str = "running",
    restarts: int | None = 0,
) -> Container:
    """A container that was started ``age_s`` before NOW_NS, and created then too by default."""
    return Container(
        id=container_id(name),
        name=name,
        image=image,
        image_id="sha256:" + "a" * 64,
        state=state,
        created_ns=NOW_NS - (age_s if created_age_s is None else created_age_s) * SECOND,
        labels={},
        started_ns=NOW_NS - age_s * SECOND,
        restarts=restarts,
        inspected=True,
    )


def decision(
    what: Container, reason: Reason = Reason.STALE, *, age_s: int | None = 2 * DAY_S, matched: bool = True
) -> Decision:
    """A decision: to remove if the reason is ``stale``, else to keep."""
    return Decision(
        what,
        Verdict.REMOVE if reason in (Reason.STALE, Reason.LIFETIME) else Verdict.KEEP,
        reason,
        (Selector.NAME, Selector.IMAGE) if matched else (),
        age_s,
        None if age_s is None else AgeFrom.STARTED,
    )


def candidates(prefix: str, count: int, *, age_s: int = 2 * DAY_S) -> tuple[Decision, ...]:
    """Stale decisions on ``count`` containers named ``prefix-0``, ``prefix-1`` and so on."""
    return tuple(decision(container(f"{prefix}-{number}", age_s=age_s), age_s=age_s) for number in range(count))


def plan(
    name: str,
    decisions: tuple[Decision, ...] = (),
    *,
    others: int = 0,
    skew_s: float = 0.2,
    guard: Guard | None = None,
) -> HostPlan:
    """A plan over the containers of ``decisions`` and ``others`` that match no selector."""
    return HostPlan(
        host=Host(name=name, address=name),
        engine=Engine("docker", "Docker/20.10.24 (linux)", "1.41", "streamlocal"),
        now_ns=NOW_NS,
        skew_s=skew_s,
        duration_s=0.3,
        containers=len(decisions) + others,
        decisions=decisions,
        guard=guard,
    )


def surveyed(
    name: str,
    decisions: tuple[Decision, ...] = (),
    *,
    others: int = 0,
    outcome: Outcome | None = None,
    error: str | None = None,
    skew_s: float = 0.2,
    duration_s: float = 0.41,
) -> HostReport:
    """A host that answered; ``outcome`` is what became of each of its candidates."""
    made = plan(name, decisions, others=others, skew_s=skew_s)
    removals = tuple(Removal(d.container.id, outcome, error) for d in made.candidates) if outcome else ()
    return HostReport(made.host, Status.OK, made, removals=removals, duration_s=duration_s)


def lost(
    name: str,
    status: Status = Status.UNREACHABLE,
    *,
    message: str = "no TCP connection to box port 22 within 10 s",
    remedy: str = "check that the box is up",
    bug: bool = False,
) -> HostReport:
    """A host without a survey."""
    fault = (
        Fault(status, None, FaultKind.BUG, message, bug=True)
        if bug
        else Fault(status, Phase.CONNECT, FaultKind.TIMEOUT, message, remedy)
    )
    return HostReport(Host(name=name, address=name), status, fault=fault, duration_s=10.0)


def guarded(name: str, decisions: tuple[Decision, ...] = (), guard: Guard | None = None) -> HostReport:
    """A host where a guard tripped: the cap by default."""
    tripped = guard or Guard(GuardName.CAP, "3 candidates are more than the cap of 2", 2, len(decisions))
    made = plan(name, decisions, guard=tripped)
    return HostReport(made.host, Status.GUARDED, made, guard=tripped, duration_s=0.2)


def duplicate(name: str, of: HostReport) -> HostReport:
    """Another name for the engine of ``of``."""
    assert of.plan is not None
    guard = Guard(GuardName.IDENTITY, f"this is the same engine as {of.host.name}", None, of.host.name)
    return guarded(name, of.plan.decisions, guard)


def report(
    *hosts: HostReport,
    command: str = "sweep",
    dry_run: bool = False,
    guard: Guard | None = None,
    exit_code: int = 0,
) -> FleetReport:
    """A run over ``hosts`` that took 12.3 seconds."""
    return FleetReport(
        run_id="20260615T070000Z-1a2b",
        command=command,
        dry_run=dry_run,
        started_ns=NOW_NS,
        finished_ns=NOW_NS + 12_300_000_000,
        exit_code=exit_code,
        hosts=hosts,
        guard=guard,
    )


def fleet() -> FleetReport:
    """A sweep with a host for each thing that can happen to one."""
    swept = surveyed(
        "runner-1",
        (
            *candidates("ws-old", 12),
            decision(container("ws-oldest", age_s=3 * DAY_S), age_s=3 * DAY_S),
            decision(container("ws-new", age_s=60), Reason.YOUNG, age_s=60),
        ),
        others=7,
        outcome=Outcome.REMOVED,
    )
    stuck = surveyed("runner-2", candidates("ws-stuck", 1), outcome=Outcome.FAILED, error="device or resource busy")
    doubtful = surveyed("runner-3", (decision(container("ws-odd"), Reason.UNKNOWN_AGE, age_s=None),))
    return report(
        swept,
        stuck,
        doubtful,
        lost("runner-4"),
        guarded("runner-5", candidates("ws-many", 3)),
        duplicate("runner-6", swept),
        lost("runner-7", Status.FAILED, message="list index out of range", bug=True),
        exit_code=4,
    )
