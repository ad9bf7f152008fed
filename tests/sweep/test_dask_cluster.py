"""A real Dask cluster: zones, versions, a scheduler and workers that end, and no removal twice."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from fleetsweep.errors import FaultKind, Phase, UsageError
from fleetsweep.model.decision import Guard
from fleetsweep.model.evidence import Evidence
from fleetsweep.model.intent import SettledAs
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.survey import Fault, Status
from fleetsweep.policy.identity import identity_of
from fleetsweep.policy.reconcile import settle
from fleetsweep.policy.rules import Policy
from fleetsweep.runtime.deadline import Deadline, Watchdog
from fleetsweep.store.journal import Journal
from fleetsweep.sweep.dask_cluster import DaskBackend
from fleetsweep.sweep.host_worker import HostWorker
from fleetsweep.sweep.ledger import Ledger
from fleetsweep.sweep.one_host import RemovalOptions
from fleetsweep.sweep.remote import RemoteRunner
from fleetsweep.sweep.scheduler import Scheduler
from fleetsweep.sweep.slices import SurveyTask
from fleetsweep.sweep.workers import HostFault
from tests.lab.dask_lab import DaskLab, open_dask
from tests.lab.local_box import LOOK, REACH, LocalBox, local_box
from tests.lab.process import wait_for
from tests.lab.request_gate import Gate
from tests.lab.scripted_engine import Response
from tests.lab.workdir import deletes

KILLS = int(os.environ.get("FLEETSWEEP_KILLS", "2"))
"""How many runs lose their worker at a random moment."""

LEAKS = 12


@pytest.fixture(scope="module")
def cluster() -> Iterator[DaskLab]:
    """A scheduler whose zone north has a worker, and whose zone old has one of another version."""
    with open_dask() as lab:
        lab.worker("north")
        lab.worker("old", name="veteran", version="9.9")
        lab.await_workers()
        yield lab


@contextmanager
def connected(lab: DaskLab, stopped: threading.Event | None = None) -> Iterator[RemoteRunner]:
    """Connect to a lab's scheduler as a run does."""
    scheduler = Scheduler("127.0.0.1", lab.port, None)
    with DaskBackend(scheduler, REACH, stopped or threading.Event(), lease_s=1.5) as backend:
        yield RemoteRunner(backend)


@contextmanager
def within(seconds: float) -> Iterator[Deadline]:
    """Yield a host's deadline."""
    with Watchdog() as watchdog:
        yield Deadline(seconds, watchdog)


def in_zone(box: LocalBox, zone: str) -> LocalBox:
    """Return the box as if it was in a zone."""
    host = replace(box.host, zone=zone)
    return LocalBox(box.engine, host, replace(box.plan, host=host))


@pytest.fixture
def box(tmp_path: Path) -> Iterator[LocalBox]:
    """A box with leaks in the zone north."""
    with local_box(tmp_path, LEAKS) as found:
        yield in_zone(found, "north")


def test_a_host_is_surveyed_and_swept_in_its_zone_alone(cluster: DaskLab, box: LocalBox, tmp_path: Path) -> None:
    with connected(cluster) as runner, within(20) as deadline, Journal(tmp_path / "s", "run-1", "sweep") as journal:
        assert len(runner.survey(box.host, Policy(), LOOK, deadline).containers) == LEAKS
        ledger = Ledger(journal.for_host(box.host, "", box.plan.candidates))
        assert runner.apply(box.plan, Policy(), ledger, deadline, RemovalOptions()) is None
        assert {each.outcome for each in ledger.close()} == {Outcome.REMOVED}
    assert len(deletes(box.engine)) == LEAKS


@pytest.mark.parametrize(
    ("zone", "kind", "words"),
    [
        ("nowhere", FaultKind.NO_WORKER, "zone nowhere has no worker"),
        ("old", FaultKind.VERSION, "no worker of zone old can be used: worker veteran "),
    ],
)
def test_a_zone_without_a_usable_worker_costs_its_hosts_their_own_time_once(
    cluster: DaskLab, box: LocalBox, zone: str, kind: FaultKind, words: str
) -> None:
    with connected(cluster) as runner:
        for seconds in (1.5, 60):
            with within(seconds) as deadline, pytest.raises(HostFault) as caught:
                runner.survey(replace(box.host, zone=zone), Policy(), LOOK, deadline)
            fault = caught.value.fault
            assert (fault.status, fault.phase, fault.kind) == (Status.UNREACHABLE, Phase.ZONE, kind)
            assert fault.message.startswith(words)
            assert fault.remedy
        with within(20) as deadline:
            assert runner.survey(box.host, Policy(), LOOK, deadline).containers


def test_a_worker_that_hangs_costs_the_hosts_of_its_own_zone(cluster: DaskLab, box: LocalBox) -> None:
    worker = cluster.worker("hung")
    cluster.await_workers()
    os.kill(worker.pid, signal.SIGSTOP)
    with connected(cluster) as runner:
        with within(20) as deadline:
            assert runner.survey(box.host, Policy(), LOOK, deadline).containers
        with within(0.5) as deadline, pytest.raises(HostFault, match=r"zone hung can be used: .* has not responded$"):
            runner.survey(replace(box.host, zone="hung"), Policy(), LOOK, deadline)
    worker.stop()


def test_a_run_that_is_stopped_stops_its_workers(cluster: DaskLab, box: LocalBox) -> None:
    gate, stopped = Gate(), threading.Event()
    box.engine.on("^DELETE", gate)
    with connected(cluster, stopped) as runner, within(20) as deadline:
        ended = Sweep(runner, box, deadline)
        gate.await_held(4)
        stopped.set()
        # Four are in flight. Each has its response only after the worker may have heard of the stop.
        wait_for(lambda: runner_is_stopped(runner), "the stop being passed on")
        gate.release()
        removals = ended.wait()
    assert {each.outcome for each in removals} == {Outcome.REMOVED}
    assert len(deletes(box.engine)) == len(removals) == 4


def runner_is_stopped(runner: RemoteRunner) -> bool:
    """Whether the stop was passed on to the Actors."""
    backend = runner._backend
    assert isinstance(backend, DaskBackend)
    return backend.stop_passed_on.is_set()


class Sweep:
    """The removals of one box in a thread of their own."""

    def __init__(self, runner: RemoteRunner, box: LocalBox, deadline: Deadline, journal: Journal | None = None) -> None:
        self._ledger = Ledger(
            journal.for_host(box.host, identity_of(box.host, box.plan.engine), box.plan.candidates)
            if journal
            else NoLog()
        )
        self.ended: list[Fault | Guard | None] = []

        def work() -> None:
            try:
                self.ended.append(runner.apply(box.plan, Policy(), self._ledger, deadline, RemovalOptions()))
            except HostFault as error:
                self.ended.append(error.fault)

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()

    def wait(self) -> tuple[Removal, ...]:
        """Return the outcomes."""
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self._ledger.close()


class NoLog:
    """An intent log of nothing."""

    def intend(self, target: object, /) -> int:
        return 1

    def conclude(self, intent: int, removal: Removal, /) -> None:
        """Nothing."""

    def keep(self, intent: int, evidence: Evidence, /) -> None:
        """Nothing."""

    def flush(self) -> None:
        """Nothing."""


def test_a_scheduler_that_dies_in_mid_apply_costs_no_hang_and_nothing_is_removed_after_the_run(tmp_path: Path) -> None:
    gate = Gate()
    with open_dask() as lab, local_box(tmp_path, 40) as found:
        found.engine.on("^DELETE", gate)
        box = in_zone(found, "north")
        lab.worker("north")
        lab.await_workers()
        with connected(lab) as runner, within(30) as deadline:
            sweep = Sweep(runner, box, deadline)
            gate.await_held(4)
            os.kill(lab.scheduler.pid, signal.SIGKILL)
            removals = sweep.wait()
            assert [each.outcome for each in removals] == [Outcome.UNKNOWN] * 40
            (ended,) = sweep.ended
            assert isinstance(ended, Fault)
            assert ended.kind is FaultKind.WORKER_LOST
            with pytest.raises(HostFault, match=r"ended|lost"):
                runner.survey(box.host, Policy(), LOOK, deadline)
        asked = deletes(box.engine)
        gate.release()
        # What was in flight ends, and the worker's process with it: no thread of it is left.
        wait_for(lambda: len(box.engine.containers) == 40 - len(asked), "the removals in flight")
        for worker in lab.workers.values():
            worker.stop()
        assert deletes(box.engine) == asked
        assert max(Counter(asked).values()) == 1
        assert len(asked) < 40


@pytest.mark.parametrize("number", range(KILLS))
def test_a_worker_that_is_killed_at_any_moment_costs_no_second_removal(
    cluster: DaskLab, tmp_path: Path, number: int
) -> None:
    dice = random.Random(number)  # noqa: S311 - not a secret
    zone = f"doomed-{number}"
    worker = cluster.worker(zone)
    cluster.await_workers()
    # Two of five are killed when a removal has ended, the others at any request.
    pattern = "^DELETE" if number % 5 < 2 else "."
    moment, seen = dice.randrange(LEAKS if pattern != "." else 4 * LEAKS), 0
    lock = threading.Lock()

    def kill(_: object) -> Response | None:
        nonlocal seen
        with lock:
            seen += 1
            if seen == moment + 1:
                os.kill(worker.pid, signal.SIGKILL)
        return None

    with (
        local_box(tmp_path, LEAKS) as found,
        within(30) as deadline,
        Journal(tmp_path / "s", f"run-{number}", "sweep") as journal,
    ):
        box = in_zone(found, zone)
        found.engine.on(pattern, kill)
        with connected(cluster) as runner:
            sweep = Sweep(runner, box, deadline, journal)
            removals = {each.container_id: each.outcome for each in sweep.wait()}
        assert len(removals) == LEAKS or not removals
        wait_for(lambda: not worker.alive() or seen <= moment, "the worker's end")
        open_ones = journal.open_intents()
        assert {intent.container_id for intent in open_ones} == {
            one for one, outcome in removals.items() if outcome is Outcome.UNKNOWN
        }
        assert (len(open_ones) > 0) == (seen > moment and bool(removals))
        asked = Counter(deletes(found.engine))
        assert max(asked.values(), default=1) == 1
        # The next run, from here: what it finds of each intent is what the engine has.
        seen = -1000
        with HostWorker(REACH) as here:
            survey = here.survey(SurveyTask(box.host, Policy(), LOOK, 20)).survey
        assert survey is not None
        settled = settle(open_ones, [survey]).get(box.host.name, ())
        left = set(found.engine.containers)
        assert [each.outcome is SettledAs.STILL_THERE for each in settled] == [
            each.intent.container_id in left for each in settled
        ]
        worker.stop()
        assert Counter(deletes(found.engine)) == asked


def test_a_scheduler_that_is_not_there_is_an_error_of_usage() -> None:
    with (
        pytest.raises(UsageError, match="can't be reached"),
        DaskBackend(Scheduler("127.0.0.1", 9, None), REACH, threading.Event()),
    ):
        raise AssertionError
