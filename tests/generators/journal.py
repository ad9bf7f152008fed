"""A journal of many runs over a made-up fleet, written through the journal's own interface.

``python -m tests.generators.journal DIRECTORY`` writes 30 days of hourly runs over 50 hosts; the same seed gives the
same facts. Some hosts have a story, in ``Stories``.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from fleetsweep.errors import FaultKind, Phase
from fleetsweep.model.container import SECOND, Container
from fleetsweep.model.decision import AgeFrom, Decision, Guard, GuardName, HostPlan, Reason, Selector, Verdict
from fleetsweep.model.host import Host
from fleetsweep.model.intent import SettledAs, Settlement
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.report import FleetReport, HostReport
from fleetsweep.model.survey import Engine, Fault, Status
from fleetsweep.policy.attributes import ATTRIBUTES, attributes_of
from fleetsweep.policy.identity import identity_of
from fleetsweep.policy.leaks import leaks_of
from fleetsweep.policy.rules import Policy
from fleetsweep.report.archive import compress
from fleetsweep.report.totals import exit_code
from fleetsweep.store.journal import Journal
from fleetsweep.store.journal.database import journal_file

HOUR_S: Final = 3_600
DAY_S: Final = 24 * HOUR_S
END_NS: Final = 1_781_506_800 * SECOND
"""2026-06-15T07:00:00Z, when the last run starts unless another time is given."""

SOURCE, PROJECT, OWNER = ATTRIBUTES
TEAMS: Final = ("build", "search", "payments", "web")
IMAGES: Final = (
    "molecule-local/debian:12",
    "molecule-local/ubuntu:24.04",
    "registry.example.com/ci/postgres:16",
    "registry.example.com/ci/selenium:4",
    "redis:7",
)
NEW_IMAGE: Final = "registry.example.com/ci/browser:2"


@dataclass(frozen=True, slots=True)
class Stories:
    """The hosts, by number, that differ from the others, and the days, counted from 0, on which something happens."""

    silent: int = 7
    """Never reached."""

    down: int = 12
    down_days: range = range(8, 10)

    capped: int = 20
    capped_days: range = range(21, 24)
    """Its candidates trip the cap, and nothing is removed."""

    renamed: int = 30
    renamed_from: int = 20
    """Its jobs get another prefix: from this day nothing matches."""

    stuck: int = 33
    """One container can't be removed from day 3 on."""

    stuck_from: int = 3
    worsening: int = 41
    """It leaks more each day."""

    without_runs: range = range(11, 12)
    new_image_from: int = 25
    """From this day a few hosts leak NEW_IMAGE."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the journal is. ``leaks_a_day`` is the mean of one host."""

    seed: int = 15
    hosts: int = 50
    days: int = 30
    runs_a_day: int = 24
    leaks_a_day: float = 3.0
    end_ns: int = END_NS


@dataclass(slots=True)
class Written:
    """What was written: facts to compare queries with. ``leaks`` counts by host and image, ``removed`` by host."""

    first_ns: int
    runs: int = 0
    killed: int = 0
    leaks: Counter[tuple[str, str]] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True, eq=False)
class _Box:
    """One host and what is on it."""

    number: int
    host: Host
    engine: Engine
    containers: list[Container] = field(default_factory=list)
    made: int = 0
    seen: set[str] = field(default_factory=set)


class _Simulation:
    """The fleet, hour by hour."""

    def __init__(self, state_dir: Path, shape: Shape, stories: Stories) -> None:
        self.state_dir = state_dir
        self.shape = shape
        self.stories = stories
        self.random = random.Random(shape.seed)  # noqa: S311 - no secret
        self.policy = Policy()
        self.step_s = DAY_S // shape.runs_a_day
        self.runs = shape.days * shape.runs_a_day
        self.boxes = [self._box(number) for number in range(1, shape.hosts + 1)]
        self.now_ns = shape.end_ns - (self.runs - 1) * self.step_s * SECOND
        self.written = Written(self.now_ns)

    def write(self) -> Written:
        """Write every run."""
        for number in range(self.runs):
            day = number // self.shape.runs_a_day
            start_ns = self.now_ns
            for box in self.boxes:
                self._live(box, day)
            if day not in self.stories.without_runs:
                self._run(number, day)
            self.now_ns = start_ns + self.step_s * SECOND
        return self.written

    def _box(self, number: int) -> _Box:
        name = f"runner-{number:02}"
        size = "large" if number % 5 == 0 else "small"
        site = ("north", "south")[number % 2]
        host = Host(name, f"{name}.example.com", groups=("runners", size, site))
        engine = Engine("docker", "Docker/27.3.1 (linux)", "1.47", "streamlocal", f"engine-{number}", f"key {number}")
        return _Box(number, host, engine)

    def _live(self, box: _Box, day: int) -> None:
        """Leave behind what one step's jobs leaked. Young containers of running jobs are made anew at each survey."""
        stories = self.stories
        if box.number == stories.renamed and day >= stories.renamed_from:
            return
        rate = self.shape.leaks_a_day * (0.2 + (box.number * 37 % 17) / 10)
        if box.number == stories.worsening:
            rate += day / 2
        if box.number == stories.capped and day in stories.capped_days:
            rate += 24
        for _ in range(_poisson(self.random, rate * self.step_s / DAY_S)):
            new = day >= stories.new_image_from and box.number % 10 == 1 and self.random.random() < 0.5
            image = NEW_IMAGE if new else IMAGES[(box.number + self.random.randrange(3)) % len(IMAGES)]
            box.containers.append(self._container(box, image, self.random.randrange(self.step_s)))
        if box.number == stories.stuck and day == stories.stuck_from and not _stuck(box):
            box.containers.append(self._container(box, IMAGES[0], 60, name="ws-stuck"))

    def _container(self, box: _Box, image: str, age_s: int, *, name: str = "") -> Container:
        box.made += 1
        team = TEAMS[self.random.randrange(len(TEAMS))]
        created_ns = self.now_ns - age_s * SECOND
        return Container(
            id=hashlib.sha256(f"{box.host.name}/{box.made}".encode()).hexdigest(),
            name=name or f"ws-{box.number}-{box.made}",
            image=image,
            image_id="sha256:" + "a" * 64,
            state="running",
            created_ns=created_ns,
            labels={PROJECT: f"{team}-{box.made % 7}", OWNER: f"{team}@example.com", "build": str(box.made)},
            started_ns=created_ns + SECOND,
            restarts=0,
            inspected=True,
        )

    def _run(self, number: int, day: int) -> None:
        command = "audit" if number % self.shape.runs_a_day == 5 else "sweep"
        moment = datetime.fromtimestamp(self.now_ns // SECOND, UTC)
        run_id = f"{moment:%Y%m%dT%H%M%SZ}-{self.random.randrange(16**6):06x}"
        killed = self.random.random() < 0.01
        started_ns = self.now_ns
        with Journal(self.state_dir, run_id, command, clock=lambda: self.now_ns) as journal:
            self.written.runs += 1
            self._settle(journal)
            self._pass(8)
            rows = [self._row(box, day) for box in self.boxes]
            if command == "sweep":
                journal.record_plan("{}")
                rows = list(self._remove_all(journal, rows, stop_after=3 if killed else None))
            self._pass(2)
            if killed:
                self.written.killed += 1
                return
            report = FleetReport(run_id, command, False, started_ns, self.now_ns, 0, tuple(rows))
            report = replace(report, exit_code=exit_code(rows, None, fail_on_stale=False, stopped_by=None))
            self._count(rows)
            leaks = {row.host.name: seen for row in rows if (seen := leaks_of(row, self.policy)) is not None}
            journal.finish(report, looked=True, leaks=leaks, documents=list(compress(report)))

    def _pass(self, seconds: float) -> None:
        self.now_ns += int(seconds * SECOND)

    def _settle(self, journal: Journal) -> None:
        present = {each.id for box in self.boxes for each in box.containers}
        found: dict[str, list[Settlement]] = {}
        for intent in journal.open_intents():
            outcome = SettledAs.STILL_THERE if intent.container_id in present else SettledAs.GONE
            found.setdefault(intent.host, []).append(Settlement(intent, outcome))
        journal.settle(found)

    def _row(self, box: _Box, day: int) -> HostReport:
        stories = self.stories
        if box.number == stories.silent or (box.number == stories.down and day in stories.down_days):
            message = f"no TCP connection to {box.host.address} port 22 within 10 s"
            fault = Fault(Status.UNREACHABLE, Phase.CONNECT, FaultKind.TIMEOUT, message, "check that the box is up")
            return HostReport(box.host, Status.UNREACHABLE, fault=fault, duration_s=10.0)
        if self.random.random() < 0.002:
            fault = Fault(Status.FAILED, Phase.ENGINE, FaultKind.LOST, "the engine closed the connection")
            return HostReport(box.host, Status.FAILED, fault=fault, duration_s=2.0)
        plan = self._plan(box, day)
        guard = None
        if box.number == stories.capped and day in stories.capped_days and plan.candidates:
            count = len(plan.candidates)
            guard = Guard(GuardName.CAP, f"{count} candidates are more than the cap of 0", 0, count)
            plan = replace(plan, guard=guard)
        status = Status.GUARDED if guard else Status.OK
        return HostReport(box.host, status, plan, guard=guard, duration_s=0.4 + self.random.random())

    def _plan(self, box: _Box, day: int) -> HostPlan:
        renamed = box.number == self.stories.renamed and day >= self.stories.renamed_from
        young = [] if renamed else [self._container(box, IMAGES[0], 600) for _ in range(self.random.randrange(3))]
        decisions = tuple(self._decision(each) for each in (*box.containers, *young))
        skew_s = round(self.random.uniform(-0.5, 0.5), 1)
        return HostPlan(box.host, box.engine, self.now_ns, skew_s, 0.3, len(decisions) + 4, decisions)

    def _decision(self, container: Container) -> Decision:
        age_s = (self.now_ns - (container.started_ns or container.created_ns)) // SECOND
        if age_s < self.policy.max_age_s:
            return Decision(container, Verdict.KEEP, Reason.YOUNG, (Selector.NAME,), max(0, age_s), AgeFrom.STARTED)
        return Decision(
            container,
            Verdict.REMOVE,
            Reason.STALE,
            (Selector.NAME, Selector.IMAGE) if container.image.startswith("molecule") else (Selector.NAME,),
            age_s,
            AgeFrom.STARTED,
            attributes=attributes_of(container.labels, ATTRIBUTES),
        )

    def _remove_all(self, journal: Journal, rows: list[HostReport], stop_after: int | None) -> Iterator[HostReport]:
        """Yield the rows with their removals. ``stop_after`` is the number of hosts after which the run is killed."""
        for row, box in zip(rows, self.boxes, strict=True):
            if row.status is not Status.OK or row.plan is None or not row.plan.candidates or stop_after == 0:
                yield row
                continue
            stop_after = None if stop_after is None else stop_after - 1
            yield self._remove(journal, box, row, row.plan, killed=stop_after == 0)

    def _remove(self, journal: Journal, box: _Box, row: HostReport, plan: HostPlan, *, killed: bool) -> HostReport:
        log = journal.for_host(box.host, identity_of(box.host, box.engine), plan.candidates)
        removals = []
        for decision in plan.candidates:
            container = decision.container
            intent = log.intend(container)
            if killed:
                break
            removal = self._removal(container)
            self._pass(0.2)
            log.conclude(intent, removal)
            removals.append(removal)
            if removal.outcome in (Outcome.REMOVED, Outcome.GONE):
                box.containers.remove(container)
            if removal.outcome is Outcome.REMOVED:
                self.written.removed[box.host.name] += 1
        log.flush()
        return replace(row, removals=tuple(removals))

    def _removal(self, container: Container) -> Removal:
        if container.name == "ws-stuck":
            return Removal(container.id, Outcome.FAILED, "device or resource busy")
        chance = self.random.random()
        if chance < 0.02:
            return Removal(container.id, Outcome.FAILED, "removal of container is already in progress")
        if chance < 0.025:
            return Removal(container.id, Outcome.UNKNOWN, "no response within 30 s")
        return Removal(container.id, Outcome.GONE if chance < 0.035 else Outcome.REMOVED)

    def _count(self, rows: list[HostReport]) -> None:
        for row, box in zip(rows, self.boxes, strict=True):
            for decision in row.plan.candidates if row.plan else ():
                if decision.container.id not in box.seen:
                    box.seen.add(decision.container.id)
                    self.written.leaks[box.host.name, decision.container.image] += 1


def _stuck(box: _Box) -> bool:
    return any(each.name == "ws-stuck" for each in box.containers)


def _poisson(source: random.Random, mean: float) -> int:
    """Return a number of events whose mean is ``mean``, by Knuth's method."""
    limit, product, count = 2.718281828459045**-mean, source.random(), 0
    while product > limit:
        product *= source.random()
        count += 1
    return count


def write_journal(state_dir: Path, shape: Shape | None = None, stories: Stories | None = None) -> Written:
    """Write a journal into ``state_dir``, which is created, and return what is in it.

    It is written in memory first, where there is such a file system: a run syncs often.
    """
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        scratch = Path(directory) / "state"
        written = _Simulation(scratch, shape or Shape(), stories or Stories()).write()
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = journal_file(state_dir)
        shutil.copyfile(journal_file(scratch), target)
        target.chmod(0o600)
    return written


def main() -> None:
    """Write the journal of the default shape, and print its size."""
    state_dir = Path(sys.argv[1])
    written = write_journal(state_dir)
    size = journal_file(state_dir).stat().st_size
    print(f"{written.runs} runs, {written.leaks.total()} leaks, {size / 2**20:.1f} MiB in {state_dir}")


if __name__ == "__main__":
    main()
