"""A whole sweep over engines in memory: survey, plan, guards, removal and proof, as ``sweep.phases`` does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleetsweep.errors import HostError
from fleetsweep.model.container import Container
from fleetsweep.model.decision import FleetPlan, HostPlan
from fleetsweep.model.host import Host
from fleetsweep.model.outcome import Removal
from fleetsweep.model.report import HostReport
from fleetsweep.model.survey import Engine, FailedSurvey, Status, Survey
from fleetsweep.policy.guards import Percent, plan_fleet
from fleetsweep.policy.rules import Policy
from fleetsweep.report.totals import HostTotals, host_totals
from fleetsweep.sweep.ledger import Ledger
from fleetsweep.sweep.phases import actionable
from fleetsweep.sweep.removal_workers import Work, dependents_among, remove_all
from fleetsweep.sweep.remove_containers import ContainerRemover, Rule, verify
from tests.generators.engines import QUICK, Log, MemoryEngine, SignalHandler, Ticks
from tests.generators.strategies import NOW


@dataclass(frozen=True, slots=True)
class Box:
    """One host, its policy and its engine."""

    name: str
    policy: Policy
    engine: MemoryEngine
    skew_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Swept:
    """The outcomes of one host's removals."""

    plan: HostPlan
    removals: tuple[Removal, ...]
    log: Log
    totals: HostTotals


def survey_of(name: str, containers: Sequence[Container], skew_s: float = 0.0, engine_id: str | None = None) -> Survey:
    """A survey whose clock is NOW."""
    engine = Engine("docker", "Docker/20", "1.41", "local", engine_id)
    return Survey(Host(name, "127.0.0.1"), engine, NOW, skew_s, tuple(containers), 0.1)


def plan(boxes: Sequence[Box], fleet_cap: int | Percent | None = None) -> FleetPlan:
    """The plan for boxes with honest engines."""
    surveys: list[Survey | FailedSurvey] = [
        survey_of(box.name, box.engine.survey(box.policy), box.skew_s) for box in boxes
    ]
    return plan_fleet(surveys, {box.name: box.policy for box in boxes}, fleet_cap)


def sweep(
    boxes: Sequence[Box],
    fleet_cap: int | Percent | None = None,
    *,
    writes: int | None = None,
    ticks: int | None = None,
    stoppers: Mapping[str, SignalHandler] | None = None,
) -> dict[str, Swept]:
    """Plan and remove. Return the results by host name, for the hosts that had work and no tripped guard."""
    engines = {box.name: box for box in boxes}
    swept = {}
    for item in actionable(plan(boxes, fleet_cap)):
        box = engines[item.host.name]
        log = Log(box.engine.trace, writes)
        stopper = (stoppers or {}).get(box.name) or SignalHandler(None)
        removals = remove(item, box.policy, box.engine, log, Ticks(ticks), stopper)
        report = HostReport(item.host, Status.OK, plan=item, removals=removals)
        swept[box.name] = Swept(item, removals, log, host_totals(report))
    return swept


def remove(
    item: HostPlan, policy: Policy, engine: MemoryEngine, log: Log, clock: Ticks, stopper: SignalHandler
) -> tuple[Removal, ...]:
    """Remove one host's candidates, verify it, and return the outcome of every intent."""
    ledger = Ledger(log)
    remover = ContainerRemover(engine, Rule(policy, item.now_ns), pace=QUICK, clock=clock)
    work = Work(item.candidates, dependents=dependents_among(item.candidates))
    asked = remove_all(remover, work, ledger, stopped=stopper.stopped)
    try:
        listed = engine.list() if asked.unproven else []
    except HostError:
        listed = None
    verify(asked.unproven, listed, ledger)
    return ledger.close()
