"""A runner whose hosts are worked on by workers in other processes. The ledger, and so the journal, stays here."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from fleetsweep.errors import FaultKind, FleetsweepError, HostError
from fleetsweep.model.container import Target
from fleetsweep.model.decision import Guard, HostPlan
from fleetsweep.model.host import Host
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.survey import Fault, Status, Survey
from fleetsweep.policy.rules import Policy
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.sweep.ledger import Ledger
from fleetsweep.sweep.one_host import Look, RemovalOptions, journal_fault
from fleetsweep.sweep.slices import (
    RemovalResult,
    RemovalTask,
    SurveyResult,
    SurveyTask,
    travelling,
    travelling_plan,
)
from fleetsweep.sweep.workers import HostFault


class WorkerLost(FleetsweepError):
    """A task was handed to a worker, and its result will not arrive: what was done is unknown."""


class Backend(Protocol):
    """Where workers are. A task is handed to one worker, once, and the calling thread waits for its result.

    Each method raises HostError or HostFault if the task was handed to no worker, and WorkerLost if it was.
    """

    def survey(self, task: SurveyTask, deadline: Deadline, /) -> SurveyResult:
        """Have one host surveyed."""

    def apply(self, task: RemovalTask, deadline: Deadline, /) -> RemovalResult:
        """Have one plan carried out."""


class RemoteRunner:
    """Hands each host to a backend. The intents of all its removals are durable before it is handed out."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def survey(self, host: Host, policy: Policy, look: Look, deadline: Deadline, /) -> Survey:
        """Have one host surveyed. Raises HostError and HostFault."""
        task = SurveyTask(travelling(host), policy, look, deadline.remaining())
        try:
            result = self._backend.survey(task, deadline)
        except WorkerLost as error:
            raise HostFault(_lost(error)) from error
        if result.no_room:
            raise MemoryError("the worker has no room for this host")
        if result.survey is None:
            raise HostFault(result.fault or _lost(WorkerLost("the worker returned nothing")))
        policy.matcher.adopt(result.matched)
        return replace(result.survey, host=host)

    def apply(
        self,
        plan: HostPlan,
        policy: Policy,
        ledger: Ledger,
        deadline: Deadline,
        options: RemovalOptions,
        /,
    ) -> Fault | Guard | None:
        """Have one plan carried out. What the worker did not begin is withdrawn, what it lost is unknown."""
        targets: list[Target] = [*(decision.container for decision in plan.candidates), *plan.resources]
        ids = [target.id for target in targets]
        try:
            for target in targets:
                ledger.intend(target)
        except FleetsweepError as error:
            ledger.withdraw(ids, "not attempted: the journal could not be written")
            return journal_fault(error)
        task = RemovalTask(
            travelling_plan(plan),
            policy,
            deadline.instant,
            {one: ledger.number(one) for one in ids},
            options,
        )
        try:
            result = self._backend.apply(task, deadline)
        except WorkerLost as error:
            for one in ids:
                ledger.conclude(Removal(one, Outcome.UNKNOWN, str(error)))
            return _lost(error)
        except (HostError, HostFault) as error:
            ledger.withdraw(ids, f"not attempted: {error}")
            raise
        try:
            for one, kept in result.evidence.items():
                if one not in task.intents:
                    continue
                ledger.keep(one, kept, durable=False)
        except FleetsweepError as error:
            ledger.trouble = ledger.trouble or error
        for removal in result.removals:
            ledger.conclude(removal)
        ledger.withdraw(ids, "not attempted: the host ended before its turn")
        if result.no_room:
            raise MemoryError("the worker has no room for this host")
        return result.ended


def _lost(error: WorkerLost) -> Fault:
    return Fault(
        Status.FAILED, None, FaultKind.WORKER_LOST, str(error), "see why it ended, such as by memory, then sweep again"
    )
