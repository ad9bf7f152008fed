"""Removal workers: how many work at once, how often another removal is awaited."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise

import pytest

from fleetsweep.errors import EngineError, FaultKind
from fleetsweep.model.container import Container, Target
from fleetsweep.model.evidence import Evidence
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.policy.rules import Policy, decide
from fleetsweep.sweep import removal_workers
from fleetsweep.sweep.ledger import Ledger
from fleetsweep.sweep.removal_workers import GRACE_S, PoolResult, Work, remove_all
from fleetsweep.sweep.remove_containers import ContainerRemover, Pace, Rule
from tests.policy.test_rules import NOW, many

UNDER_WAY = EngineError(FaultKind.REFUSED, "HTTP 409: removal of it is already in progress", http_status=409)
WAIT_S = 20.0


class Journal:
    def __init__(self) -> None:
        self.count = 0

    def intend(self, target: Target, /) -> int:
        self.count += 1
        return self.count

    def conclude(self, intent: int, removal: Removal, /) -> None:
        pass

    def keep(self, intent: int, evidence: Evidence, /) -> None:
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
    """Has always as much time left, but ends a pool that hangs."""

    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds
        self._ends = time.monotonic() + WAIT_S

    def remaining(self) -> float:
        return min(self.seconds, max(0.0, self._ends - time.monotonic()))


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


def test_another_removal_is_looked_at_with_a_pause_before_each_look() -> None:
    (item,) = items = many(1)
    engine = Engine(items, {item.id: UNDER_WAY})
    inspect, looks = engine.inspect, list[float]()

    def timed(container_id: str, /, *, within: float | None = None) -> Container | None:
        looks.append(time.monotonic())
        return inspect(container_id, within=within)

    engine.inspect = timed  # type: ignore[method-assign]
    removed(engine, items, pace=Pace(poll_s=0.02, progress_s=0.06))
    assert len(looks) == 4
    assert all(later - earlier >= 0.02 for earlier, later in pairwise(looks))


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


def test_containers_that_depend_on_each_other_all_stay_and_each_has_the_reason() -> None:
    one, other = (replace(item, name=name) for item, name in zip(many(2), ("ws-one", "ws-other"), strict=True))
    engine = Engine([one, other])
    _, outcomes = removed(engine, [one, other], pace=Pace(), dependents={one.id: [other], other.id: [one]})
    assert outcomes == {
        one.id: Removal(one.id, Outcome.CHANGED, "it is in use by ws-other"),
        other.id: Removal(other.id, Outcome.CHANGED, "it is in use by ws-one"),
    }
    assert engine.present.keys() == {one.id, other.id}


def test_a_bug_is_logged_with_the_container_that_it_cost(caplog: pytest.LogCaptureFixture) -> None:
    (item,) = items = many(1)
    engine = Engine(items, {item.id: ZeroDivisionError("planted")})
    with caplog.at_level(logging.ERROR):
        removed(engine, items, pace=Pace())
    assert [record.getMessage() for record in caplog.records] == [f"a bug while removing {item.id}"]


@contextmanager
def threads_for(count: int, error: str = "can't start new thread") -> Iterator[None]:
    """Let only so many removal workers start: the next ones fail as where the system grants no more threads."""
    real, started = threading.Thread.start, 0

    def start(thread: threading.Thread) -> None:
        nonlocal started
        if thread.name == "fleetsweep-removal":
            started += 1
            if started > count:
                raise RuntimeError(error)
        real(thread)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        yield


def test_with_threads_for_some_workers_these_remove_everything() -> None:
    items = many(6)
    with threads_for(1):
        result, _ = removed(Engine(items), items, pace=Pace(at_once=4))
    assert len(result.unproven) == 6
    assert result.doubt is False


def test_a_worker_that_can_not_be_started_ends_no_wait_for_another_one() -> None:
    items = many(3)
    engine, impatient = Engine(items), threading.Event()
    remove = engine.remove

    def slow(container_id: str, /, *, force: bool, volumes: bool, within: float | None = None) -> None:
        # An impatient pool returns meanwhile.
        impatient.wait(0.1)
        remove(container_id, force=force, volumes=volumes, within=within)

    engine.remove = slow  # type: ignore[method-assign]
    with threads_for(1):
        result, outcomes = removed(engine, items, pace=Pace(at_once=2), clock=Clock(5.0))
    assert len(result.unproven) == 3
    assert result.doubt is False
    assert outcomes.keys() == {item.id for item in items}


def test_without_a_thread_for_any_worker_nothing_is_removed_and_the_error_is_raised() -> None:
    items = many(6)
    engine = Engine(items)
    with threads_for(0), pytest.raises(RuntimeError, match="can't start new thread"):
        removed(engine, items, pace=Pace(at_once=4))
    assert len(engine.present) == 6


def test_another_error_of_a_start_is_raised() -> None:
    items = many(6)
    with threads_for(1, "a bug"), pytest.raises(RuntimeError, match="a bug"):
        removed(Engine(items), items, pace=Pace(at_once=4))


def test_a_worker_never_keeps_the_program_from_ending() -> None:
    items = many(1)
    engine, found = Engine(items), []
    remove = engine.remove

    def seen(container_id: str, /, *, force: bool, volumes: bool, within: float | None = None) -> None:
        found.append((threading.current_thread().daemon, threading.current_thread().name))
        remove(container_id, force=force, volumes=volumes, within=within)

    engine.remove = seen  # type: ignore[method-assign]
    removed(engine, items, pace=Pace())
    assert found == [(True, "fleetsweep-removal")]


def test_a_worker_that_outlasts_the_hosts_time_leaves_a_doubt() -> None:
    items = many(1)
    engine, clock, ended = Engine(items), Clock(), threading.Event()

    def hang(container_id: str, /, *, force: bool, volumes: bool, within: float | None = None) -> None:
        clock.seconds = 0.0
        ended.wait(WAIT_S)

    engine.remove = hang  # type: ignore[method-assign]
    try:
        result, outcomes = removed(engine, items, pace=Pace(slow_s=0.05, check_s=0.0125), clock=clock)
    finally:
        ended.set()
    assert (result.doubt, result.unproven) == (True, ())
    assert outcomes[items[0].id].outcome is Outcome.UNKNOWN


def test_workers_are_awaited_while_the_host_has_time() -> None:
    items = many(1)
    engine, clock = Engine(items), Clock(0.9)
    remove, waited = engine.remove, threading.Event()

    def slow(container_id: str, /, *, force: bool, volumes: bool, within: float | None = None) -> None:
        # Longer than the grace after a host's time, so that an impatient pool would have returned.
        waited.wait(GRACE_S * 1.5)
        remove(container_id, force=force, volumes=volumes, within=within)

    engine.remove = slow  # type: ignore[method-assign]
    result, _ = removed(engine, items, pace=Pace(slow_s=0.05, check_s=0.0125), clock=clock)
    assert [removal.outcome for removal in result.unproven] == [Outcome.REMOVED]
    assert result.doubt is False


def test_a_response_within_the_grace_after_the_hosts_time_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal_workers, "GRACE_S", WAIT_S)
    items = many(1)
    engine, clock, checked = Engine(items), Clock(), threading.Event()
    remove, remaining = engine.remove, clock.remaining

    def over() -> float:
        if threading.current_thread().name != "fleetsweep-removal" and not clock.seconds:
            checked.set()
        return remaining()

    def late(container_id: str, /, *, force: bool, volumes: bool, within: float | None = None) -> None:
        clock.seconds = 0.0
        assert checked.wait(WAIT_S)
        # An impatient pool returns now.
        time.sleep(0.05)
        remove(container_id, force=force, volumes=volumes, within=within)

    clock.remaining = over  # type: ignore[method-assign]
    engine.remove = late  # type: ignore[method-assign]
    result, _ = removed(engine, items, pace=Pace(check_s=0.001), clock=clock)
    assert [removal.outcome for removal in result.unproven] == [Outcome.REMOVED]
    assert result.doubt is False


def test_the_pool_sleeps_while_its_workers_work(monkeypatch: pytest.MonkeyPatch) -> None:
    items = many(1)
    engine, checks = Engine(items), list[bool]()
    remove, has_room = engine.remove, removal_workers._RemovalPool._has_room_for_worker

    def counted(pool: removal_workers._RemovalPool) -> bool:
        checks.append(has_room(pool))
        return checks[-1]

    def slow(container_id: str, /, *, force: bool, volumes: bool, within: float | None = None) -> None:
        time.sleep(0.1)
        remove(container_id, force=force, volumes=volumes, within=within)

    monkeypatch.setattr(removal_workers._RemovalPool, "_has_room_for_worker", counted)
    engine.remove = slow  # type: ignore[method-assign]
    removed(engine, items, pace=Pace(check_s=0.05))
    assert len(checks) < 20
