"""Worker processes: what they return, and what is left when one of them is killed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetsweep.errors import FaultKind
from fleetsweep.model.outcome import Outcome
from fleetsweep.model.survey import Fault
from fleetsweep.policy.rules import Policy
from fleetsweep.runtime.deadline import Deadline, Watchdog
from fleetsweep.sweep import processes
from fleetsweep.sweep.ledger import Ledger
from fleetsweep.sweep.one_host import RemovalOptions
from fleetsweep.sweep.processes import ProcessBackend
from fleetsweep.sweep.remote import RemoteRunner
from fleetsweep.sweep.workers import HostFault
from tests.generators.engines import Log
from tests.lab.local_box import LOOK, REACH, SECONDS, local_box
from tests.lab.process import is_running, wait_for
from tests.lab.scripted_engine import Response
from tests.lab.workdir import deletes


@pytest.fixture
def deadline() -> Iterator[Deadline]:
    """A host's time."""
    with Watchdog() as watchdog:
        yield Deadline(SECONDS, watchdog)


def test_a_host_is_surveyed_and_swept_in_another_process_that_ends_with_the_run(
    tmp_path: Path, deadline: Deadline
) -> None:
    with local_box(tmp_path, 2) as box:
        with ProcessBackend(2, REACH, threading.Event()) as backend:
            runner = RemoteRunner(backend)
            assert len(runner.survey(box.host, Policy(), LOOK, deadline).containers) == 2
            ledger = Ledger(Log())
            assert runner.apply(box.plan, Policy(), ledger, deadline, RemovalOptions()) is None
            pids = backend.pids
        assert {each.outcome for each in ledger.close()} == {Outcome.REMOVED}
        assert len(deletes(box.engine)) == 2
    assert os.getpid() not in pids
    assert not any(map(is_running, pids))


def test_a_killed_process_costs_what_it_had_and_another_one_takes_its_place(
    tmp_path: Path, deadline: Deadline, caplog: pytest.LogCaptureFixture
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def hang(_: object) -> Response | None:
        asked.set()
        go_on.wait(10)
        return None

    log = Log()
    ledger = Ledger(log)
    with local_box(tmp_path, 1) as box, ProcessBackend(1, REACH, threading.Event()) as backend:
        box.engine.on("^DELETE", hang)
        runner = RemoteRunner(backend)
        ended: list[object] = []
        thread = threading.Thread(
            target=lambda: ended.append(runner.apply(box.plan, Policy(), ledger, deadline, RemovalOptions()))
        )
        thread.start()
        assert asked.wait(10)
        (pid,) = backend.pids
        os.kill(pid, signal.SIGKILL)
        thread.join(10)
        go_on.set()
        (fault,) = ended
        assert isinstance(fault, Fault)
        assert fault.kind is FaultKind.WORKER_LOST
        assert fault.message == f"worker process {pid} ended by signal 9 while it worked on this host"
        assert [each.outcome for each in ledger.close()] == [Outcome.UNKNOWN]
        wait_for(lambda: not box.engine.containers, "the engine's own end of the removal")
        assert runner.survey(box.host, Policy(), LOOK, deadline).containers == ()
        assert backend.pids != (pid,)
        assert len(deletes(box.engine)) == 1
    assert [record.getMessage() for record in caplog.records] == [
        f"worker process {pid} ended: another one takes its place"
    ]


def test_processes_that_always_end_are_not_replaced_for_ever(
    tmp_path: Path, deadline: Deadline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_command", lambda: ["false"])
    monkeypatch.setattr(processes, "RESTARTS", 1)
    with local_box(tmp_path, 0) as box, ProcessBackend(1, REACH, threading.Event()) as backend:
        runner = RemoteRunner(backend)
        kinds = []
        while FaultKind.NO_WORKER not in kinds:
            with pytest.raises(HostFault) as caught:
                runner.survey(box.host, Policy(), LOOK, deadline)
            kinds.append(caught.value.fault.kind)
    assert len(kinds) <= 3


def test_a_run_that_is_stopped_stops_its_processes(tmp_path: Path, deadline: Deadline) -> None:
    stopped = threading.Event()
    first, go_on = threading.Event(), threading.Event()

    def wait(_: object) -> Response | None:
        first.set()
        go_on.wait(10)
        return None

    with local_box(tmp_path, 40) as box, ProcessBackend(1, REACH, stopped) as backend:
        box.engine.on("^DELETE", wait)
        ledger = Ledger(Log())
        runner = RemoteRunner(backend)
        thread = threading.Thread(
            target=lambda: runner.apply(box.plan, Policy(), ledger, deadline, RemovalOptions()), daemon=True
        )
        thread.start()
        assert first.wait(10)
        stopped.set()
        backend.stop_passed_on.wait(10)
        go_on.set()
        thread.join(15)
        removed = ledger.close()
    assert 0 < len(removed) < 40
    assert len(removed) == len(deletes(box.engine))
