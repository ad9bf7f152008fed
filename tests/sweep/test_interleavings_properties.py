"""Two jobs overlap on one engine, in every order of their steps: neither takes the other's containers."""

from __future__ import annotations

import itertools
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.model.decision import HostPlan
from fleetsweep.model.host import Connection, Host
from fleetsweep.model.outcome import Outcome
from fleetsweep.model.run_scope import Baseline, RunScope
from fleetsweep.model.survey import Survey
from fleetsweep.policy.guards import plan_fleet
from fleetsweep.policy.rules import Policy
from fleetsweep.ssh import SshOptions
from fleetsweep.store import baseline_file as baseline
from fleetsweep.sweep.one_host import RemovalOptions
from fleetsweep.sweep.phases import ConnectConfig, actionable, apply, survey
from fleetsweep.sweep.workers import Limits
from tests.generators.engines import Log
from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine

STEPS = ("baseline", "create", "teardown")
JOBS = ("one", "two")
SCHEDULES = sorted(
    {
        tuple((job, next(steps[job])) for job in order)
        for order in set(itertools.permutations(JOBS * len(STEPS)))
        for steps in [{job: iter(STEPS) for job in JOBS}]
    }
)


class Clocked(ScriptedEngine):
    """An engine whose clock does not advance between steps, and that knows when each container was made."""

    def __init__(self) -> None:
        super().__init__([])
        self.clock = datetime.now(UTC).replace(microsecond=0)
        self.made: dict[str, datetime] = {}

    def now(self) -> datetime:
        return self.clock

    def created(self, container: ScriptedContainer) -> datetime:
        return self.made[container.id]

    def create(self, name: str, labels: object, image: str = "molecule-local/x:1") -> str:
        container = ScriptedContainer(f"{len(self.made):064x}", name, image, labels=labels, started_age=None)
        self.made[container.id] = self.clock
        self.containers[container.id] = container
        return container.id


@dataclass(slots=True)
class Machine:
    """One engine, and what the two jobs know of it."""

    engine: Clocked
    host: Host
    directory: Path
    labelled: bool = True
    with_baseline: bool = True
    made: dict[str, list[str]] = field(default_factory=lambda: {job: [] for job in JOBS})
    before: dict[str, Baseline] = field(default_factory=dict)

    def step(self, job: str, what: str) -> None:
        if what == "baseline":
            self.before[job] = self.baseline(job)
        elif what == "create":
            labels = {"fleetsweep.run": job} if self.labelled else {}
            self.made[job] += [self.engine.create(f"ws-{job}-{number}", labels) for number in range(2)]
        else:
            label = ("fleetsweep.run", job) if self.labelled else None
            self.teardown(RunScope(label, self.before[job] if self.with_baseline else None))

    def look(self, policy: Policy) -> Survey:
        (found,) = survey([self.host], {self.host.name: policy}, self.reach())
        assert isinstance(found, Survey), found
        return found

    def baseline(self, job: str) -> Baseline:
        """Taken, written and read back."""
        path = self.directory / f"{job}.json"
        at = int(self.engine.clock.timestamp()) * 10**9
        baseline.save({"box": baseline.take(self.look(Policy()), Policy())}, path, now_ns=at)
        return baseline.load(path, [self.host], now_ns=at)["box"]

    def teardown(self, scope: RunScope) -> dict[str, Outcome]:
        policy = Policy(run=scope)
        found = self.look(policy)
        plan = plan_fleet([found], {"box": policy})
        assert isinstance(plan.hosts[0], HostPlan)
        assert plan.hosts[0].guard is None
        done = apply(actionable(plan), {"box": policy}, self.reach(), lambda _: Log(), RemovalOptions())
        return {each.container_id: each.outcome for host in done.values() for each in host.removals}

    def reach(self) -> ConnectConfig:
        return ConnectConfig(SshOptions(), Limits(1, 20, 20), threading.Event())

    def left(self, job: str) -> list[str]:
        return [each for each in self.made[job] if each in self.engine.containers]


class Machines:
    """A context manager for a machine."""

    def __init__(self, *, labelled: bool = True, with_baseline: bool = True) -> None:
        self._labelled = labelled
        self._with_baseline = with_baseline

    def __enter__(self) -> Machine:
        self._directory = tempfile.TemporaryDirectory(prefix="fs-")
        path = Path(self._directory.name)
        engine = Clocked()
        self._serving = engine.serve(path / "e.sock")
        host = Host("box", "localhost", connection=Connection.LOCAL, engine=self._serving.__enter__())
        return Machine(engine, host, path, self._labelled, self._with_baseline)

    def __exit__(self, *_: object) -> None:
        self._serving.__exit__(None, None, None)
        self._directory.cleanup()


def played(
    machine: Machine, schedule: Sequence[tuple[str, str]], ticks: Iterator[int], *, own_too: bool = True
) -> None:
    """Play a schedule; after each step no job has lost what another's teardown had no right to.

    ``own_too``: and a teardown has left nothing of its own. In the very second of the baseline it may.
    """
    for job, what in schedule:
        machine.engine.clock += timedelta(seconds=next(ticks))
        other = JOBS[1 - JOBS.index(job)]
        before = machine.left(other)
        machine.step(job, what)
        assert machine.left(other) == before, f"{what} of {job} took a container of {other}"
        if what == "teardown" and own_too:
            assert machine.left(job) == []


def test_every_order_is_among_the_schedules() -> None:
    assert len(SCHEDULES) == 20
    assert all([step for job, step in schedule if job == "one"] == list(STEPS) for schedule in SCHEDULES)


@pytest.mark.parametrize("with_baseline", [True, False])
@pytest.mark.parametrize(
    "schedule", SCHEDULES, ids=lambda schedule: "-".join(f"{job[0]}{what[0]}" for job, what in schedule)
)
def test_with_run_labels_no_order_of_two_jobs_lets_one_take_the_others(
    schedule: Sequence[tuple[str, str]], with_baseline: bool
) -> None:
    with Machines(with_baseline=with_baseline) as machine:
        played(machine, schedule, itertools.repeat(1))


@given(st.sampled_from(SCHEDULES), st.lists(st.integers(0, 2), min_size=6, max_size=6), st.booleans())
def test_nor_does_it_when_steps_fall_into_the_same_second(
    schedule: Sequence[tuple[str, str]], ticks: list[int], with_baseline: bool
) -> None:
    with Machines(with_baseline=with_baseline) as machine:
        played(machine, schedule, iter(ticks), own_too=False)


def test_without_labels_a_container_born_after_the_baseline_is_taken_which_is_why_labels_are_asked_for() -> None:
    with Machines(labelled=False) as machine:
        for job, what in (("one", "baseline"), ("two", "create"), ("one", "create"), ("one", "teardown")):
            machine.engine.clock += timedelta(seconds=1)
            machine.step(job, what)
        assert machine.left("two") == []


def test_containers_that_existed_before_or_are_protected_or_do_not_match_are_kept() -> None:
    with Machines() as machine:
        there = [
            machine.engine.create("ws-before", {}),
            machine.engine.create("ws-before-mine", {"fleetsweep.run": "one"}),
        ]
        machine.engine.clock += timedelta(seconds=5)
        machine.step("one", "baseline")
        machine.engine.clock += timedelta(seconds=5)
        machine.step("one", "create")
        there += [
            machine.engine.create("ws-kept", {"fleetsweep.run": "one", "fleetsweep.keep": "true"}),
            machine.engine.create("postgres", {}, "postgres:16"),
            machine.engine.create("ws-unreadable", "?"),
            machine.engine.create("ws-swarm", {"com.docker.swarm.task": "1"}),
        ]
        unlabelled = machine.engine.create("ws-mine-without-a-label", {})
        machine.engine.clock += timedelta(seconds=5)
        outcomes = machine.teardown(RunScope(("fleetsweep.run", "one"), machine.before["one"]))
        assert outcomes == dict.fromkeys([*machine.made["one"], unlabelled], Outcome.REMOVED)
        assert sorted(machine.engine.containers) == sorted(there)


def test_more_than_the_cap_guards_a_teardown_too() -> None:
    with Machines() as machine:
        for number in range(3):
            machine.engine.create(f"ws-{number}", {"fleetsweep.run": "one"})
        machine.engine.clock += timedelta(seconds=1)
        policy = replace(Policy(cap=2), run=RunScope(("fleetsweep.run", "one")))
        plan = plan_fleet([machine.look(policy)], {"box": policy})
        assert isinstance(plan.hosts[0], HostPlan)
        assert plan.hosts[0].guard is not None
        assert actionable(plan) == []
