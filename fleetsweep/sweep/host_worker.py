"""The work on hosts inside a worker process, for a controller in another process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from fleetsweep.errors import FleetsweepError, HostError
from fleetsweep.model.container import Target
from fleetsweep.model.decision import Guard
from fleetsweep.model.outcome import Removal
from fleetsweep.model.survey import Fault
from fleetsweep.runtime.capacity import out_of_room
from fleetsweep.runtime.deadline import Deadline, Watchdog
from fleetsweep.runtime.garbage import CycleCollector
from fleetsweep.sweep.connect import Connector
from fleetsweep.sweep.ledger import Ledger
from fleetsweep.sweep.one_host import apply_host, survey_host
from fleetsweep.sweep.slices import Reach, RemovalResult, RemovalTask, SurveyResult, SurveyTask
from fleetsweep.sweep.workers import as_fault

if TYPE_CHECKING:
    from fleetsweep.engine.tls import EngineTls
    from fleetsweep.model.evidence import Evidence

log = logging.getLogger(__name__)


class RefusedAttempt(FleetsweepError):
    """A task to remove arrived a second time: it is not carried out again."""


class CommittedIntents:
    """The intents of one task, which the controller has committed. It records their outcomes when it has the result.

    ``evidence`` is what was kept, by the container's id.
    """

    def __init__(self, intents: Mapping[str, int]) -> None:
        self._intents = intents
        self._targets = {number: target for target, number in intents.items()}
        self.evidence: dict[str, Evidence] = {}

    def intend(self, target: Target, /) -> int:
        """Return the number of the target's intent. Raises FleetsweepError if the controller committed none."""
        number = self._intents.get(target.id)
        if number is None:
            raise FleetsweepError("the controller recorded no intent for it")
        return number

    def conclude(self, intent: int, removal: Removal, /) -> None:
        """Do nothing: the ledger keeps the outcome."""

    def keep(self, intent: int, evidence: Evidence, /) -> None:
        """Keep the evidence for the controller."""
        self.evidence[self._targets[intent]] = evidence

    def flush(self) -> None:
        """Do nothing: the controller makes the outcomes durable."""


class HostWorker:
    """Surveys hosts and removes from them, each task in the thread that calls. Leaving the context closes connections.

    ``stopped`` is set when no further removal may start.
    """

    def __init__(self, reach: Reach) -> None:
        # Imported late: where no SSH client is loaded yet, that is a worker's first task.
        from fleetsweep.ssh.bastions import Bastions

        self.stopped = threading.Event()
        self._bastions = Bastions()
        self._connector = Connector(reach.ssh, self._bastions, engine_tls=_engine_tls(reach))
        self._watchdog = Watchdog()
        self._lock = threading.Lock()
        self._attempts: set[str] = set()
        self._collector = CycleCollector()

    def __enter__(self) -> HostWorker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watchdog.__exit__(kind, error, traceback)
        self._bastions.__exit__(kind, error, traceback)

    def survey(self, task: SurveyTask) -> SurveyResult:
        """Survey one host. An error is its fault."""
        self._collector.host_ended()
        deadline = Deadline(task.seconds, self._watchdog)
        try:
            survey = survey_host(task.host, task.policy, task.look, self._connector, deadline)
        except HostError as error:
            return SurveyResult(None, as_fault(error))
        except Exception as error:
            if out_of_room(error):
                return SurveyResult(None, None, no_room=True)
            log.exception("a bug while working on %s", task.host.name)
            return SurveyResult(None, Fault.of_bug(error))
        return SurveyResult(survey, None, task.policy.matcher.results)

    def apply(self, task: RemovalTask) -> RemovalResult:
        """Carry out one task, once. Raises RefusedAttempt if it arrived before.

        A task that arrives too late, because it was held up, begins nothing: no one waits for it any more.
        """
        with self._lock:
            if task.attempt in self._attempts:
                raise RefusedAttempt(f"attempt {task.attempt} was carried out before")
            self._attempts.add(task.attempt)
        intents = CommittedIntents(task.intents)
        ledger = Ledger(intents)
        deadline = Deadline(task.until - time.monotonic(), self._watchdog)
        ended: Fault | Guard | None
        try:
            ended = apply_host(
                task.plan,
                task.policy,
                self._connector,
                ledger,
                deadline,
                task.options,
                stopped=self.stopped,
            )
        except HostError as error:
            ended = as_fault(error)
        except Exception as error:
            if out_of_room(error) and not ledger.begun:
                return RemovalResult((), no_room=True)
            log.exception("a bug while working on %s", task.plan.host.name)
            ended = Fault.of_bug(error)
        return RemovalResult(ledger.close(), ended, evidence=dict(intents.evidence))


def _engine_tls(reach: Reach) -> EngineTls | None:
    if reach.engine_tls is None:
        return None
    from fleetsweep.engine.tls import EngineTls

    return EngineTls.load(*reach.engine_tls)
