"""Removal workers: how many work at once, how often another removal is awaited."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace

import pytest

from fleetsweep.errors import EngineError
from fleetsweep.model.container import Container, Target
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.policy.rules import Policy, decide
from fleetsweep.sweep.ledger import Ledger
from fleetsweep.sweep.removal_workers import PoolResult, Work, remove_all
from fleetsweep.sweep.remove_containers import ContainerRemover, Pace, Rule
from tests.policy.test_rules import NOW, many

UNDER_WAY = EngineError("refused", "HTTP 409: removal of it is already in progress", http_status=409)
WAIT_S = 20.0


class Journal:
    def __init__(self) -> None:
        self.count = 0

    def intend(self, target: Target, /) -> int:
        self.count += 1
        return self.count

    def conclude(self, intent: int, removal: Removal, /) -> None:
        pass

    def flush(self) -> None:
        pass


class Engine:
    """Removes at once, but for those in ``replies``; each look at a container is counted."""

    forgets_what_is_stopping = False

    def __init__(self, items: list[Container], replies: Mapping[str, Exception] | None = None) -> None:
        self.present = {item.id: item for item in items}
        self.replies = replies or {}
        self.looks: list[tuple[str, float | None]] = []

    def process_of(self, container_id: str, /, *, within: float | None = None) -> int | None:
        raise AssertionError("nothing is being stopped")

    def inspect(self, container_id: str, /, *, within: float | None = None) -> Container | None:
        self.looks.append((container_id, within))
        return self.present.get(container_id)

    def remove(self, container_id: str, /, *, force: bool, volumes: bool, within: float | None = None) -> None:
        if container_id in self.replies:
            raise self.replies[container_id]
        del self.present[container_id]


class Clock:
    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds

    def remaining(self) -> float:
        return self.seconds


def removed(
    engine: Engine,
    items: list[Container],
    *,
    pace: Pace,
    clock: Clock | None = None,
    dependents: Mapping[str, list[Container]] | None = None,
) -> tuple[PoolResult, dict[str, Removal]]:
    decisions = [decide(item, Policy(), NOW) for item in items]
    ledger = Ledger(Journal())
    work = Work(decisions, {}, dependents or {})
    remover = ContainerRemover(engine, Rule(Policy(), NOW), pace=pace, clock=clock or Clock())
    asked = remove_all(remover, work, ledger, stopped=threading.Event())
    return asked, {removal.container_id: removal for removal in ledger.close()}


def test_without_any_lost_response_there_is_no_doubt() -> None:
    items = many(3)
    asked, _ = removed(Engine(items), items, pace=Pace())
    assert asked.doubt is False
    assert {removal.container_id for removal in asked.unproven} == {item.id for item in items}


def test_no_more_than_the_pace_allows_work_at_once_while_none_is_slow() -> None:
    items = many(6)
    engine = Engine(items)
    meet, crowded = threading.Barrier(2), threading.Event()
    working = 0
    lock = threading.Lock()
    remove = engine.remove

    def counted(container_id: str, /, *, force: bool, volumes: bool, within: float | None = None) -> None:
        nonlocal working
        with lock:
            working += 1
            if working > 2:
                crowded.set()
        # Both workers are inside at the same time, long enough for a third to appear if one were allowed.
        meet.wait(WAIT_S)
        crowded.wait(0.05)
        with lock:
            working -= 1
        remove(container_id, force=force, volumes=volumes, within=within)

    engine.remove = counted  # type: ignore[method-assign]
    removed(engine, items, pace=Pace(at_once=2, most=8, slow_s=WAIT_S))
    assert not crowded.is_set()


@pytest.mark.parametrize("looks", [1, 2, 5])
def test_another_removal_is_looked_at_as_often_as_the_pace_says(looks: int) -> None:
    (item,) = items = many(1)
    engine = Engine(items, {item.id: UNDER_WAY})
    _, outcomes = removed(engine, items, pace=Pace(poll_s=0.001, progress_s=0.001 * looks))
    assert outcomes[item.id] == Removal(item.id, Outcome.UNKNOWN, "another removal of it was still in progress")
    # One look before the request, and then those at the removal that goes on.
    assert len(engine.looks) == 1 + looks


def test_another_removal_is_not_awaited_beyond_the_hosts_time() -> None:
    (item,) = items = many(1)
    clock = Clock()
    engine = Engine(items, {item.id: UNDER_WAY})
    inspect = engine.inspect

    def last_look(container_id: str, /, *, within: float | None = None) -> Container | None:
        if engine.looks:
            clock.seconds = 0.0
        return inspect(container_id, within=within)

    engine.inspect = last_look  # type: ignore[method-assign]
    _, outcomes = removed(engine, items, pace=Pace(poll_s=0.001, progress_s=1.0), clock=clock)
    assert outcomes[item.id].outcome is Outcome.UNKNOWN
    assert len(engine.looks) == 2


@pytest.mark.parametrize(("name", "called"), [("ws-user", "ws-user"), ("", "b" * 12)])
def test_a_dependent_that_stays_is_named_and_was_looked_at_within_the_pace(name: str, called: str) -> None:
    owner, template = many(2)
    dependent = replace(template, id="b" * 64, name=name, image="molecule-local/x:1", lives_on=(owner.id,))
    engine = Engine([owner, dependent])
    remove = engine.remove

    def only_claimed(container_id: str, /, *, force: bool, volumes: bool, within: float | None = None) -> None:
        if container_id != dependent.id:
            remove(container_id, force=force, volumes=volumes, within=within)

    engine.remove = only_claimed  # type: ignore[method-assign]
    _, outcomes = removed(engine, [owner, dependent], pace=Pace(look_s=1.25), dependents={owner.id: [dependent]})
    assert outcomes[owner.id] == Removal(owner.id, Outcome.CHANGED, f"it is in use by {called}")
    assert {within for _, within in engine.looks} == {1.25}


def test_a_bug_is_logged_with_the_container_that_it_cost(caplog: pytest.LogCaptureFixture) -> None:
    (item,) = items = many(1)
    engine = Engine(items, {item.id: ZeroDivisionError("planted")})
    with caplog.at_level(logging.ERROR):
        removed(engine, items, pace=Pace())
    assert [record.getMessage() for record in caplog.records] == [f"a bug while removing {item.id}"]
