"""The edges of a removal: a stopping container's process, restarts to the nanosecond, Podman's pace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetsweep.errors import EngineError, FaultKind
from fleetsweep.model.container import Container, Inspected
from fleetsweep.model.decision import Reason
from fleetsweep.model.evidence import Document
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.policy.rules import EARLIEST_NS, Policy, decide
from fleetsweep.sweep.remove_containers import ContainerRemover, Pace, Rule, pace_for, what_changed
from tests.policy.test_rules import NOW, many

(PLANNED,) = many(1)
STOPPING = replace(PLANNED, state="stopping")


class Podman43:
    """An engine that forgets what is being stopped. It keeps what it was asked about."""

    forgets_what_is_stopping = True

    def __init__(self, process: int | EngineError | None) -> None:
        self.process = process
        self.processes_asked: list[tuple[str, float | None]] = []

    def inspect(self, container_id: str, /, *, within: float | None = None) -> Container | None:
        return STOPPING

    def process_of(self, container_id: str, /, *, within: float | None = None) -> int | None:
        self.processes_asked.append((container_id, within))
        if isinstance(self.process, EngineError):
            raise self.process
        return self.process

    def remove(self, container_id: str, /, *, force: bool, volumes: bool, within: float | None = None) -> None:
        raise AssertionError("the engine would forget it")


class OneHour:
    def remaining(self) -> float:
        return 3600.0


class Gone:
    """Keeps evidence of nothing: the container is gone."""

    def __init__(self) -> None:
        self.looks: list[tuple[str, float]] = []

    def inspect(self, container_id: str, /, *, within: float) -> Inspected | None:
        self.looks.append((container_id, within))
        return None

    def keep(self, container_id: str, document: Document, /) -> str:
        raise AssertionError("there is nothing to keep")


def test_a_look_for_evidence_has_the_time_of_a_look() -> None:
    keeper = Gone()
    remover = ContainerRemover(
        Podman43(None), Rule(Policy(), NOW), pace=Pace(look_s=1.5), clock=OneHour(), evidence=keeper
    )
    assert remover.remove(decide(PLANNED, Policy(), NOW)) == Removal(PLANNED.id, Outcome.GONE)
    assert keeper.looks == [(PLANNED.id, 1.5)]


@pytest.mark.parametrize(
    ("process", "words", "command"),
    [
        (4711, "its process 4711 still runs", "kill -9 4711"),
        (None, "its process still runs", "kill -9 that process"),
        (EngineError(FaultKind.REFUSED, "HTTP 500"), "its process still runs", "kill -9 that process"),
    ],
)
def test_the_process_of_a_stopping_container_is_named_where_the_engine_names_it(
    process: int | EngineError | None, words: str, command: str
) -> None:
    engine = Podman43(process)
    remover = ContainerRemover(engine, Rule(Policy(), NOW), pace=Pace(look_s=1.5), clock=OneHour())
    removal = remover.remove(decide(STOPPING, Policy(), NOW))
    assert removal == Removal(
        PLANNED.id,
        Outcome.FAILED,
        f"not removed: it is being stopped, and this Podman would forget it while {words}: "
        f"on the box: {command}, then sweep again",
    )
    assert engine.processes_asked == [(PLANNED.id, 1.5)]


@pytest.mark.parametrize(
    ("planned_ns", "current_ns", "restarted"),
    [
        (NOW - 9_000, NOW - 9_000, True),
        (NOW - 9_000, NOW - 9_001, False),
        (None, PLANNED.created_ns, True),
        (None, PLANNED.created_ns - 1, False),
        (PLANNED.created_ns + 5, PLANNED.created_ns + 4, False),
        (EARLIEST_NS - 7, EARLIEST_NS, True),
        (EARLIEST_NS - 7, EARLIEST_NS - 1, False),
    ],
)
def test_a_later_start_is_a_restart_and_an_earlier_one_is_another_container(
    planned_ns: int | None, current_ns: int, restarted: bool
) -> None:
    planned = replace(PLANNED, started_ns=planned_ns)
    decision = replace(decide(PLANNED, Policy(), NOW), container=planned, reason=Reason.RUN)
    found = what_changed(decision, replace(PLANNED, started_ns=current_ns), Rule(Policy(), NOW))
    assert (found == "its start time changed after the plan was made") == (not restarted)


def test_an_engine_that_waits_for_each_container_gets_time_for_it() -> None:
    decisions = [decide(item, Policy(), NOW) for item in many(24)]
    assert pace_for(decisions, 120.0, waits=True) == Pace(at_once=4, most=36, answer_s=30.0, slow_s=15.0)
    assert pace_for(decisions, 40.0, waits=True) == Pace(at_once=12, most=44, answer_s=30.0, slow_s=15.0)
    assert pace_for(decisions, 40.0, waits=False) == Pace()
    stopped = [decide(replace(item, state="exited"), Policy(), NOW) for item in many(24)]
    assert pace_for(stopped, 40.0, waits=True) == Pace()
