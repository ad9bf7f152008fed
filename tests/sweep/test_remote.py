"""Handing hosts out: the intents come first, and the ledger has what became of each of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from fleetsweep.errors import FaultKind, FleetsweepError
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.survey import Fault, Status
from fleetsweep.policy.rules import Policy
from fleetsweep.runtime.deadline import Deadline, Watchdog
from fleetsweep.sweep.evidence import EvidenceRule
from fleetsweep.sweep.host_worker import HostWorker
from fleetsweep.sweep.ledger import Ledger
from fleetsweep.sweep.one_host import RemovalOptions
from fleetsweep.sweep.remote import RemoteRunner, WorkerLost
from fleetsweep.sweep.slices import RemovalResult, RemovalTask, SurveyResult, SurveyTask
from fleetsweep.sweep.workers import HostFault
from tests.generators.engines import Log
from tests.lab.local_box import LOOK, REACH, SECONDS, local_box
from tests.lab.workdir import deletes

STOPPED = Fault(Status.FAILED, None, FaultKind.NO_WORKER, "no worker is left")
IDS = [f"{number:064x}" for number in range(3)]


class Scripted:
    """A backend that does what it is given, and records what had been committed by then."""

    def __init__(self, log: Log, apply: Callable[[RemovalTask], RemovalResult]) -> None:
        self._log = log
        self._apply = apply
        self.committed: list[str] = []

    def survey(self, task: SurveyTask, deadline: Deadline, /) -> SurveyResult:
        raise WorkerLost("worker 7 ended")

    def apply(self, task: RemovalTask, deadline: Deadline, /) -> RemovalResult:
        self.committed = list(self._log.intents)
        return self._apply(task)


def lose(task: RemovalTask) -> RemovalResult:
    raise WorkerLost("worker 7 ended")


def refuse(task: RemovalTask) -> RemovalResult:
    raise HostFault(STOPPED)


def one_of(task: RemovalTask) -> RemovalResult:
    return RemovalResult((Removal(IDS[1], Outcome.REMOVED),))


def no_room(task: RemovalTask) -> RemovalResult:
    return RemovalResult((), no_room=True)


def outcomes(log: Log) -> list[Outcome]:
    return [log.outcomes[number] for number in range(len(log.intents))]


@pytest.mark.parametrize(
    ("apply", "in_journal", "in_report"),
    [
        (lose, [Outcome.UNKNOWN] * 3, dict.fromkeys(IDS, Outcome.UNKNOWN)),
        (refuse, [Outcome.FAILED] * 3, {}),
        (one_of, [Outcome.FAILED, Outcome.REMOVED, Outcome.FAILED], {IDS[1]: Outcome.REMOVED}),
        (no_room, [Outcome.FAILED] * 3, {}),
    ],
)
def test_every_intent_is_committed_before_and_has_one_outcome_after(
    tmp_path: Path,
    apply: Callable[[RemovalTask], RemovalResult],
    in_journal: list[Outcome],
    in_report: dict[str, Outcome],
) -> None:
    log = Log()
    ledger, backend = Ledger(log), Scripted(log, apply)
    with local_box(tmp_path, 3) as box, Watchdog() as watchdog:
        ended: object = None
        with suppress(HostFault, MemoryError):
            ended = RemoteRunner(backend).apply(
                box.plan, Policy(), ledger, Deadline(SECONDS, watchdog), RemovalOptions()
            )
        assert ledger.begun == bool(in_report)
    assert backend.committed == IDS
    assert outcomes(log) == in_journal
    assert {each.container_id: each.outcome for each in ledger.close()} == in_report
    assert (ended is not None) == (apply is lose)


def test_nothing_is_handed_out_if_an_intent_can_not_be_committed(tmp_path: Path) -> None:
    log = Log(writes=2)
    ledger, backend = Ledger(log), Scripted(log, one_of)
    with local_box(tmp_path, 3) as box, Watchdog() as watchdog:
        ended = RemoteRunner(backend).apply(box.plan, Policy(), ledger, Deadline(SECONDS, watchdog), RemovalOptions())
    assert isinstance(ended, Fault)
    assert ended.kind is FaultKind.JOURNAL
    assert backend.committed == []
    assert ledger.close() == ()


def test_a_host_that_was_given_up_is_not_handed_out(tmp_path: Path) -> None:
    log = Log()
    ledger, backend = Ledger(log), Scripted(log, one_of)
    ledger.close()
    with local_box(tmp_path, 1) as box, Watchdog() as watchdog:
        RemoteRunner(backend).apply(box.plan, Policy(), ledger, Deadline(SECONDS, watchdog), RemovalOptions())
    assert backend.committed == []


class Near:
    """A backend in this process."""

    def __init__(self, worker: HostWorker) -> None:
        self._worker = worker

    def survey(self, task: SurveyTask, deadline: Deadline, /) -> SurveyResult:
        assert not task.host.variables
        return self._worker.survey(task)

    def apply(self, task: RemovalTask, deadline: Deadline, /) -> RemovalResult:
        return self._worker.apply(task)


def test_a_host_that_is_handed_out_comes_back_as_the_inventory_has_it(tmp_path: Path) -> None:
    with local_box(tmp_path, 2) as box, HostWorker(REACH) as worker, Watchdog() as watchdog:
        runner, deadline = RemoteRunner(Near(worker)), Deadline(SECONDS, watchdog)
        survey = runner.survey(box.host, Policy(), LOOK, deadline)
        assert survey.host is box.host
        ledger = Ledger(log := Log())
        assert runner.apply(box.plan, Policy(), ledger, deadline, RemovalOptions(evidence=EvidenceRule())) is None
        assert {each.outcome for each in ledger.close()} == {Outcome.REMOVED}
        assert all(kept.inspect for kept in log.evidence.values())
        assert sorted(log.evidence) == [0, 1]
        assert len(deletes(box.engine)) == 2


def test_a_lost_worker_costs_the_host_its_survey(tmp_path: Path) -> None:
    with local_box(tmp_path, 0) as box, Watchdog() as watchdog, pytest.raises(HostFault) as caught:
        RemoteRunner(Scripted(Log(), lose)).survey(box.host, Policy(), LOOK, Deadline(SECONDS, watchdog))
    assert (caught.value.fault.status, caught.value.fault.kind) == (Status.FAILED, FaultKind.WORKER_LOST)
    assert isinstance(caught.value, FleetsweepError)
