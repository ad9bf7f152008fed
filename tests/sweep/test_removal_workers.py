"""The order and parallelism of removals: dependents first, and a hung one delays no other."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.errors import EngineError, FaultKind, LostAnswer, Phase
from fleetsweep.model.container import Container
from fleetsweep.model.decision import Decision
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.policy.rules import Policy, decide
from fleetsweep.sweep.ledger import Ledger
from fleetsweep.sweep.removal_workers import PoolResult, Work, dependents_among, remove_all
from fleetsweep.sweep.remove_containers import Clock, ContainerRemover, Engine, Pace, Rule, verify
from tests.policy.test_rules import NOW, many
from tests.sweep.test_ledger import Log


class FakeEngine:
    """An engine that removes on request, except for those in ``stubborn``."""

    def __init__(self, items: list[Container], stubborn: set[str]) -> None:
        self.present = {item.id: item for item in items}
        self.stubborn = stubborn
        self.asked: list[str] = []

    forgets_what_is_stopping = False

    def process_of(self, container_id: str, /, *, within: float | None = None) -> int | None:
        raise AssertionError("nothing is being stopped")

    def inspect(self, container_id: str, /, *, within: float | None = None) -> Container | None:
        return self.present.get(container_id)

    def remove(self, container_id: str, /, *, force: bool, volumes: bool, within: float | None = None) -> None:
        self.asked.append(container_id)
        if container_id not in self.stubborn:
            del self.present[container_id]


class Forever:
    def remaining(self) -> float:
        return 60.0


def run_pool(
    engine: Engine,
    decisions: Sequence[Decision],
    ledger: Ledger,
    *,
    clock: Clock | None = None,
    pace: Pace | None = None,
    volumes: bool = False,
    in_use: dict[str, str] | None = None,
) -> PoolResult:
    rule = Rule(Policy(), NOW, volumes)
    remover = ContainerRemover(engine, rule, pace=pace or Pace(), clock=clock or Forever())
    work = Work(decisions, in_use or {}, dependents_among(decisions))
    return remove_all(remover, work, ledger, stopped=threading.Event())


def sweep(count: int, log: Log, stubborn: set[int]) -> tuple[FakeEngine, tuple[Removal, ...]]:
    items = many(count)
    engine = FakeEngine(items, {items[number].id for number in stubborn if number < count})
    ledger = Ledger(log)
    decisions = [decide(item, Policy(), NOW) for item in items]
    verify(run_pool(engine, decisions, ledger).unproven, list(engine.present.values()), ledger)
    return engine, ledger.close()


@given(st.integers(1, 12), st.sets(st.integers(0, 11)), st.integers(0, 30))
def test_every_request_had_an_intent_and_every_intent_has_one_true_outcome(
    count: int, stubborn: set[int], writes: int
) -> None:
    log = Log(writes)
    engine, removals = sweep(count, log, stubborn)
    assert set(engine.asked) <= set(log.intents)
    assert len(engine.asked) == len(set(engine.asked))
    assert [removal.container_id for removal in removals] == log.intents
    for removal in removals:
        assert (removal.outcome is Outcome.REMOVED) == (removal.container_id not in engine.present)


def test_without_a_journal_no_request_is_sent() -> None:
    engine, removals = sweep(5, Log(0), set())
    assert (engine.asked, removals) == ([], ())


def decisions_of(items: Sequence[Container]) -> list[Decision]:
    return [decide(item, Policy(), NOW) for item in items]


def test_the_error_that_stopped_the_pool_comes_with_the_removals_so_far() -> None:
    items = many(2)
    engine = FakeEngine(items, set())
    result = run_pool(engine, decisions_of(items), Ledger(Log(1)))
    assert str(result.error) == "disk full"
    assert len(result.unproven) == len(engine.asked) <= 1


class Over:
    def remaining(self) -> float:
        return 0.0


def test_at_the_deadline_nothing_more_is_intended_or_asked_for() -> None:
    log, engine = Log(), FakeEngine(many(3), set())
    run_pool(engine, decisions_of(many(3)), Ledger(log), clock=Over())
    assert (log.intents, engine.asked) == ([], [])


UNDER_WAY = EngineError(FaultKind.REFUSED, "HTTP 409: removal of it is already in progress", http_status=409)


BUSY = EngineError(FaultKind.REFUSED, "HTTP 500: busy", http_status=500)


BRISK = Pace(look_s=0.2, answer_s=0.2, slow_s=0.02, check_s=0.005, progress_s=0.05, poll_s=0.001)


class Odd(FakeEngine):
    """Answers a removal of some with an error, of others not within their time, of others with a bug of our own."""

    def __init__(
        self, items: list[Container], hangs: Sequence[str] = (), replies: Mapping[str, Exception] | None = None
    ) -> None:
        super().__init__(items, set())
        self.hangs = set(hangs)
        self.replies = replies or {}
        self.ended: list[str] = []

    def remove(self, container_id: str, /, *, force: bool, volumes: bool, within: float | None = None) -> None:
        self.asked.append(container_id)
        if container_id in self.hangs:
            assert within is not None
            threading.Event().wait(within)
            raise LostAnswer(Phase.ENGINE, FaultKind.TIMEOUT, "the answer did not come")
        if (reply := self.replies.get(self.present[container_id].name)) is not None:
            raise reply
        self.ended.append(container_id)
        del self.present[container_id]


def test_removals_that_hang_delay_no_other_even_if_every_worker_has_one() -> None:
    items = many(20)
    hung = [item.id for item in items[:4]]
    engine, ledger = Odd(items, hung), Ledger(Log())
    result = run_pool(engine, decisions_of(items), ledger, pace=replace(BRISK, answer_s=1.0, slow_s=0.01))
    verify(result.unproven, list(engine.present.values()), ledger)
    outcomes = {removal.container_id: removal.outcome for removal in ledger.close()}
    assert [outcomes.pop(container_id) for container_id in hung] == [Outcome.UNKNOWN] * 4
    assert list(outcomes.values()) == [Outcome.REMOVED] * 16
    assert result.doubt


def test_no_more_than_the_most_run_in_parallel_even_if_all_hang() -> None:
    items = many(9)
    engine = Odd(items, [item.id for item in items])
    at_once: list[int] = []
    begun, ended = 0, 0
    lock = threading.Lock()
    remove = engine.remove

    def counted(container_id: str, /, *, force: bool, volumes: bool, within: float | None = None) -> None:
        nonlocal begun, ended
        with lock:
            begun += 1
            at_once.append(begun - ended)
        try:
            remove(container_id, force=force, volumes=volumes, within=within)
        finally:
            with lock:
                ended += 1

    engine.remove = counted  # type: ignore[method-assign]
    run_pool(engine, decisions_of(items), Ledger(Log()), pace=replace(BRISK, at_once=2, most=3))
    assert (len(at_once), max(at_once)) == (9, 3)


def test_another_removal_in_progress_is_polled_while_others_go_on() -> None:
    items = many(9)
    items[0] = replace(items[0], name="ws-busy")
    engine, ledger = Odd(items, replies={"ws-busy": UNDER_WAY}), Ledger(Log())
    result = run_pool(engine, decisions_of(items), ledger, pace=replace(BRISK, at_once=1))
    assert len(result.unproven) == 8
    assert ledger.close()[0] == Removal(items[0].id, Outcome.UNKNOWN, "another removal of it was still in progress")
    assert engine.asked.count(items[0].id) == 1


def test_a_bug_at_one_container_changes_no_other_outcome() -> None:
    items = many(5)
    items[2] = replace(items[2], name="ws-odd")
    engine, ledger = Odd(items, replies={"ws-odd": ZeroDivisionError("by 0")}), Ledger(Log())
    result = run_pool(engine, decisions_of(items), ledger, pace=BRISK)
    assert isinstance(result.error, ZeroDivisionError)
    assert {removal.container_id for removal in result.unproven} == {item.id for item in items} - {items[2].id}
    (odd,) = (removal for removal in ledger.close() if removal.container_id == items[2].id)
    assert (odd.outcome, odd.error) == (Outcome.UNKNOWN, "a bug: ZeroDivisionError: by 0")


def test_a_removal_without_a_response_by_the_deadline_has_no_outcome() -> None:
    items = many(3)
    end = threading.Event()

    class Stuck(FakeEngine):
        def remove(self, container_id: str, /, *, force: bool, volumes: bool, within: float | None = None) -> None:
            if container_id == items[0].id:
                end.wait(30)
            super().remove(container_id, force=force, volumes=volumes)

    class Counting:
        asked = 0

        def remaining(self) -> float:
            self.asked += 1
            return 60.0 if self.asked < 12 else 0.0

    engine, ledger = Stuck(items, set()), Ledger(Log())
    try:
        result = run_pool(engine, decisions_of(items), ledger, clock=Counting(), pace=BRISK)
        verify(result.unproven, list(engine.present.values()), ledger)
        outcomes = {removal.container_id: removal for removal in ledger.close()}
    finally:
        end.set()
    assert result.doubt
    assert outcomes.pop(items[0].id).error == "no outcome by the deadline"
    assert {removal.outcome for removal in outcomes.values()} == {Outcome.REMOVED}


def lives_on(items: list[Container], *pairs: tuple[int, int]) -> list[Container]:
    found = list(items)
    for one, owner in pairs:
        found[one] = replace(found[one], lives_on=(*found[one].lives_on, items[owner].id))
    return found


def test_dependents_go_first_along_the_whole_chain() -> None:
    items = lives_on(many(4), (1, 0), (2, 1), (3, 0))
    engine, ledger = FakeEngine(items, set()), Ledger(Log())
    assert len(run_pool(engine, decisions_of(items), ledger).unproven) == 4
    order = [engine.asked.index(item.id) for item in items]
    assert order[2] < order[1] < order[0]
    assert order[3] < order[0]


@pytest.mark.parametrize("stubborn", [True, False])
def test_the_owner_of_a_kept_dependents_namespace_is_not_removed(stubborn: bool) -> None:
    """The engine's word is not enough: one that it called removed and still has, stays."""
    items = [replace(item, name=f"ws-{number}") for number, item in enumerate(lives_on(many(3), (1, 0)))]
    engine: FakeEngine = FakeEngine(items, {items[1].id}) if stubborn else Odd(items, replies={"ws-1": BUSY})
    ledger = Ledger(Log())
    run_pool(engine, decisions_of(items), ledger, pace=BRISK)
    assert items[0].id not in engine.asked
    outcomes = {removal.container_id: removal for removal in ledger.close()}
    assert outcomes[items[0].id] == Removal(items[0].id, Outcome.CHANGED, "it is in use by ws-1")


def test_containers_that_depend_on_each_other_are_both_kept() -> None:
    items = lives_on(many(3), (0, 1), (1, 0))
    engine, ledger = FakeEngine(items, set()), Ledger(Log())
    run_pool(engine, decisions_of(items), ledger)
    assert engine.asked == [items[2].id]
    outcomes = [removal.outcome for removal in ledger.close() if removal.container_id != items[2].id]
    assert outcomes == [Outcome.CHANGED] * 2


def test_the_owner_of_a_newcomers_namespace_is_not_removed() -> None:
    items = many(2)
    engine, ledger = FakeEngine(items, set()), Ledger(Log())
    run_pool(engine, decisions_of(items), ledger, in_use={items[0].id: "it is in use by ws-new now"})
    assert engine.asked == [items[1].id]
    assert Removal(items[0].id, Outcome.CHANGED, "it is in use by ws-new now") in ledger.close()
