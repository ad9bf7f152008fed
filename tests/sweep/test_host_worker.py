"""A worker: tasks in, results out, each task to remove once, and nothing without a committed intent."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from fleetsweep.errors import FaultKind, FleetsweepError
from fleetsweep.model.host import Connection, Host
from fleetsweep.model.outcome import Outcome
from fleetsweep.model.survey import Fault, Status
from fleetsweep.policy.rules import Policy
from fleetsweep.ssh import SshOptions
from fleetsweep.sweep import host_worker
from fleetsweep.sweep.host_worker import CommittedIntents, HostWorker, RefusedAttempt
from fleetsweep.sweep.one_host import RemovalOptions
from fleetsweep.sweep.slices import Reach, RemovalTask, SurveyTask
from tests.lab.local_box import LOOK, REACH, SECONDS, LocalBox, local_box
from tests.lab.workdir import deletes
from tests.report.build import container


def removal(box: LocalBox, count: int) -> RemovalTask:
    """Return a task with the intents of the first ``count`` candidates."""
    ids = [decision.container.id for decision in box.plan.candidates[:count]]
    return RemovalTask(
        box.plan,
        Policy(),
        time.monotonic() + SECONDS,
        {one: number for number, one in enumerate(ids)},
        RemovalOptions(),
    )


def test_a_task_to_remove_is_carried_out_once(tmp_path: Path) -> None:
    with local_box(tmp_path, 3) as box, HostWorker(REACH) as worker:
        task = removal(box, 3)
        result = worker.apply(task)
        assert {each.outcome for each in result.removals} == {Outcome.REMOVED}
        assert result.ended is None
        with pytest.raises(RefusedAttempt, match=task.attempt):
            worker.apply(task)
        assert len(deletes(box.engine)) == 3


def test_a_container_without_an_intent_is_not_removed(tmp_path: Path) -> None:
    with local_box(tmp_path, 3) as box, HostWorker(REACH) as worker:
        result = worker.apply(removal(box, 1))
        assert isinstance(result.ended, Fault)
        assert result.ended.kind is FaultKind.JOURNAL
        assert set(deletes(box.engine)) <= set(removal(box, 1).intents)


def test_a_worker_that_was_stopped_removes_nothing(tmp_path: Path) -> None:
    with local_box(tmp_path, 2) as box, HostWorker(REACH) as worker:
        worker.stopped.set()
        assert worker.apply(removal(box, 2)).removals == ()
        assert deletes(box.engine) == []


def test_a_task_that_arrives_too_late_begins_nothing(tmp_path: Path) -> None:
    with local_box(tmp_path, 2) as box, HostWorker(REACH) as worker:
        result = worker.apply(replace(removal(box, 2), until=time.monotonic() - 1))
        assert result.removals == ()
        assert isinstance(result.ended, Fault)
        assert deletes(box.engine) == []


def test_an_unreachable_host_is_a_fault(tmp_path: Path) -> None:
    host = Host("a", "localhost", connection=Connection.LOCAL, engine=f"unix://{tmp_path}/none.sock")
    with HostWorker(REACH) as worker:
        found = worker.survey(SurveyTask(host, Policy(), LOOK, SECONDS)).fault
    assert found is not None
    assert found.status is Status.UNREACHABLE


@pytest.mark.parametrize(("error", "no_room"), [(MemoryError(), True), (ZeroDivisionError("by 0"), False)])
def test_a_lack_of_room_is_tried_again_and_a_bug_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, no_room: bool
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    with local_box(tmp_path, 1) as box, HostWorker(REACH) as worker:
        monkeypatch.setattr(host_worker, "survey_host", fail)
        monkeypatch.setattr(host_worker, "apply_host", fail)
        surveyed = worker.survey(SurveyTask(box.host, Policy(), LOOK, SECONDS))
        applied = worker.apply(removal(box, 1))
    assert (surveyed.no_room, applied.no_room) == (no_room, no_room)
    assert isinstance(surveyed.fault, Fault) != no_room
    assert isinstance(applied.ended, Fault) != no_room
    assert applied.removals == ()


def test_what_slow_patterns_matched_comes_with_the_survey(tmp_path: Path) -> None:
    policy = Policy(names=("(ws|wx)-.*-?.*",))
    with local_box(tmp_path, 2) as box, HostWorker(REACH) as worker:
        matched = worker.survey(SurveyTask(box.host, policy, LOOK, SECONDS)).matched
    assert {text: found for (_, text), found in matched.items()} == {"ws-0": True, "ws-1": True}


def test_the_files_of_tls_are_the_workers_own(tmp_path: Path) -> None:
    with pytest.raises(FleetsweepError, match="--engine-tls-ca: /nowhere"):
        HostWorker(replace(REACH, engine_tls=("/nowhere.pem", None, None)))
    assert Reach(SshOptions()) == REACH


def test_an_intent_has_the_controllers_number() -> None:
    found = container("ws-1")
    intents = CommittedIntents({found.id: 17})
    assert intents.intend(found) == 17
    with pytest.raises(FleetsweepError, match="no intent"):
        intents.intend(container("ws-2"))
