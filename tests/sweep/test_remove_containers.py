"""The ledger: every intent has exactly one outcome, and no journal, no removal."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.errors import EngineError, FleetsweepError, HostError, LostAnswer, Phase
from fleetsweep.model.container import Container, Target
from fleetsweep.model.decision import Decision, Reason
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.policy.rules import Policy, decide
from fleetsweep.sweep.ledger import Ledger
from fleetsweep.sweep.removal_workers import PoolResult, Work, dependents_among, remove_all
from fleetsweep.sweep.remove_containers import (
    Clock,
    ContainerRemover,
    Engine,
    Pace,
    Rule,
    pace_for,
    verify,
    what_changed,
)
from tests.policy.test_rules import NOW, many


class Log:
    """An intent log that breaks after so many writes."""

    def __init__(self, writes: int = 10**6) -> None:
        self.left = writes
        self.intents: list[str] = []
        self.outcomes: dict[int, Outcome] = {}

    def _write(self) -> None:
        if self.left == 0:
            raise FleetsweepError("disk full")
        self.left -= 1

    def intend(self, target: Target, /) -> int:
        self._write()
        self.intents.append(target.id)
        return len(self.intents) - 1

    def conclude(self, intent: int, removal: Removal, /) -> None:
        self._write()
        assert intent not in self.outcomes
        self.outcomes[intent] = removal.outcome

    def flush(self) -> None:
        if self.left == 0:
            raise FleetsweepError("disk full")


class FakeEngine:
    """An engine that removes what it is told to, but keeps those in ``stubborn``."""

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


def asked_of(
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


def remove_one(
    engine: Engine, decision: Decision, rule: Rule | None = None, clock: Clock | None = None
) -> Removal | None:
    remover = ContainerRemover(engine, rule or Rule(Policy(), NOW), pace=Pace(), clock=clock or Forever())
    return remover.remove(decision)


def sweep(count: int, log: Log, stubborn: set[int]) -> tuple[FakeEngine, tuple[Removal, ...]]:
    items = many(count)
    engine = FakeEngine(items, {items[number].id for number in stubborn if number < count})
    ledger = Ledger(log)
    decisions = [decide(item, Policy(), NOW) for item in items]
    verify(asked_of(engine, decisions, ledger).unproven, list(engine.present.values()), ledger)
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


def test_a_ledger_that_is_closed_takes_no_intent() -> None:
    ledger = Ledger(Log())
    ledger.close()
    with pytest.raises(FleetsweepError):
        ledger.intend(many(1)[0])


class Told:
    """An engine that answers each look in turn, and the request with ``reply`` if that is an error."""

    def __init__(self, looks: Sequence[Container | HostError | None], reply: HostError | None = None) -> None:
        self.looks = list(looks)
        self.reply = reply
        self.asked: list[tuple[bool, bool]] = []
        self.forgets_what_is_stopping = False
        self.process: int | HostError | None = 4711

    def process_of(self, container_id: str, /, *, within: float | None = None) -> int | None:
        if isinstance(self.process, HostError):
            raise self.process
        return self.process

    def inspect(self, container_id: str, /, *, within: float | None = None) -> Container | None:
        assert within == Pace().look_s
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(look, HostError):
            raise look
        return look

    def remove(self, container_id: str, /, *, force: bool, volumes: bool, within: float | None = None) -> None:
        assert within == Pace().answer_s
        self.asked.append((force, volumes))
        if self.reply is not None:
            raise self.reply


(PLANNED,) = many(1)
STOPPED = replace(PLANNED, state="exited")
DEAD = replace(PLANNED, state="dead")
GONE_WRONG = EngineError("refused", "HTTP 500: driver failed", http_status=500)
BUSY = EngineError("refused", "HTTP 500: busy", http_status=500)
NOT_FOUND = EngineError("refused", "HTTP 404: no such container", http_status=404)
UNDER_WAY = EngineError("refused", "HTTP 409: removal of it is already in progress", http_status=409)
CONFLICT = EngineError("refused", "HTTP 409: another conflict", http_status=409)
LOST = LostAnswer(Phase.ENGINE, "lost", "the tunnel ended")
SLOW = LostAnswer(Phase.ENGINE, "timeout", "no answer within 13 s")
DEPENDENTS = EngineError("refused", "HTTP 500: container has dependent containers", http_status=500)
NOT_AGAIN = "not removed: it could not be inspected again: HTTP 500: driver failed"
CHANGED = "its {} changed after the plan was made"
NO_STREAM = HostError(Phase.TUNNEL, "refused", "no new stream")


@pytest.mark.parametrize(
    ("looks", "reply", "outcome", "error", "asked"),
    [
        ([PLANNED], None, Outcome.REMOVED, None, True),
        ([None], None, Outcome.GONE, None, False),
        ([GONE_WRONG], None, Outcome.FAILED, NOT_AGAIN, False),
        ([replace(PLANNED, name="ws-2")], None, Outcome.CHANGED, CHANGED.format("name"), False),
        ([replace(PLANNED, created_ns=1)], None, Outcome.CHANGED, CHANGED.format("creation time"), False),
        ([replace(PLANNED, id="f" * 64)], None, Outcome.CHANGED, CHANGED.format("id"), False),
        ([PLANNED], LOST, Outcome.UNKNOWN, "the tunnel ended", True),
        ([PLANNED], NOT_FOUND, Outcome.GONE, None, True),
        ([PLANNED, None], BUSY, Outcome.GONE, None, True),
        ([PLANNED, GONE_WRONG], BUSY, Outcome.FAILED, "HTTP 500: busy", True),
        ([PLANNED, PLANNED], BUSY, Outcome.FAILED, "HTTP 500: busy", True),
        ([PLANNED, PLANNED], NO_STREAM, Outcome.FAILED, "no new stream", True),
        ([PLANNED, STOPPED], BUSY, Outcome.FAILED, "killed, not removed: HTTP 500: busy", True),
        ([PLANNED, replace(PLANNED, state="dead")], BUSY, Outcome.FAILED, "killed, not removed: HTTP 500: busy", True),
        ([STOPPED, replace(STOPPED, state="dead")], BUSY, Outcome.FAILED, "HTTP 500: busy", True),
        ([DEAD, DEAD], BUSY, Outcome.FAILED, "HTTP 500: busy", True),
        ([PLANNED, PLANNED], DEPENDENTS, Outcome.FAILED, f"{DEPENDENTS.message}; remove those first", True),
        ([PLANNED, GONE_WRONG], SLOW, Outcome.UNKNOWN, "no answer within 13 s", True),
        ([PLANNED, replace(PLANNED, name="ws-2")], BUSY, Outcome.CHANGED, CHANGED.format("name"), True),
        ([PLANNED, PLANNED], CONFLICT, Outcome.FAILED, "HTTP 409: another conflict", True),
    ],
)  # fmt: skip
def test_each_answer_has_its_outcome_and_its_words(
    looks: list[Container | HostError | None], reply: HostError | None, outcome: Outcome, error: str | None, asked: bool
) -> None:
    engine = Told(looks, reply)
    planned = looks[0] if looks[0] in (STOPPED, DEAD) else PLANNED
    assert isinstance(planned, Container)
    removal = remove_one(engine, decide(planned, Policy(), NOW))
    assert removal == Removal(PLANNED.id, outcome, error)
    assert bool(engine.asked) == asked


@pytest.mark.parametrize("volumes", [True, False])
@pytest.mark.parametrize(
    ("state", "force"),
    [
        ("running", True),
        ("paused", True),
        ("restarting", True),
        ("stopping", True),
        ("exited", False),
        ("created", False),
        ("dead", False),
        ("removing", False),
        ("stopped", False),
    ],
)
def test_force_is_for_what_runs_and_volumes_go_where_that_was_asked_for(state: str, force: bool, volumes: bool) -> None:
    planned = replace(PLANNED, state=state)
    engine = Told([planned])
    asked_of(engine, [decide(planned, Policy(), NOW)], Ledger(Log()), volumes=volumes)
    assert engine.asked == [(force, volumes)]


@pytest.mark.parametrize(
    ("process", "told"),
    [(4711, "its process 4711 still runs: on the box: kill -9 4711,"), (None, "kill -9 that process"), (BUSY, "runs")],
)
def test_what_is_being_stopped_is_not_removed_where_its_process_would_be_forgotten(
    process: int | HostError | None, told: str
) -> None:
    stopping = replace(PLANNED, state="stopping")
    engine = Told([stopping])
    engine.forgets_what_is_stopping = True
    engine.process = process
    decision = decide(stopping, Policy(), NOW)
    removal = remove_one(engine, decision)
    assert removal is not None
    assert (removal.outcome, engine.asked) == (Outcome.FAILED, [])
    assert told in (removal.error or "")
    assert "then sweep again" in (removal.error or "")


RESTARTED = replace(PLANNED, state="restarting", started_ns=NOW + 60 * 10**9)


@pytest.mark.parametrize(
    ("current", "reason", "told"),
    [
        (RESTARTED, Reason.STALE, "its start time changed after the plan was made"),
        (RESTARTED, Reason.LIFETIME, None),
        (RESTARTED, Reason.RUN, None),
        (replace(RESTARTED, started_ns=0), Reason.LIFETIME, "its start time changed after the plan was made"),
        (replace(RESTARTED, started_ns=None), Reason.LIFETIME, "its start time changed after the plan was made"),
        (replace(RESTARTED, name="ws-2"), Reason.LIFETIME, "its name changed after the plan was made"),
        (replace(RESTARTED, labels={"fleetsweep.keep": "1"}), Reason.LIFETIME, CHANGED.format("labels")),
    ],
)
def test_a_restart_changes_a_verdict_that_rests_on_the_start_and_no_other(
    current: Container, reason: Reason, told: str | None
) -> None:
    decision = replace(decide(PLANNED, Policy(), NOW), reason=reason)
    assert decision.labels_digest
    assert what_changed(decision, current, Rule(Policy(max_lifetime_s=3600), NOW)) == told


class Over:
    def remaining(self) -> float:
        return 0.0


def test_nothing_is_asked_for_when_a_look_ended_after_the_hosts_time() -> None:
    engine = Told([PLANNED])
    removal = remove_one(engine, decide(PLANNED, Policy(), NOW), clock=Over())
    assert removal == Removal(PLANNED.id, Outcome.FAILED, "not removed: the host's time was over")
    assert engine.asked == []


def test_what_is_held_after_the_plan_was_made_lives() -> None:
    engine = Told([PLANNED])
    rule = Rule(Policy(held={PLANNED.id: "held by ann"}), NOW)
    removal = remove_one(engine, decide(PLANNED, Policy(), NOW), rule)
    assert (removal, engine.asked) == (Removal(PLANNED.id, Outcome.CHANGED, "it is held now"), [])


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (None, Removal(PLANNED.id, Outcome.GONE)),
        (PLANNED, None),
        (GONE_WRONG, Removal(PLANNED.id, Outcome.UNKNOWN, "HTTP 500: driver failed")),
    ],
)
def test_another_removal_has_ended_when_the_container_is_gone(
    look: Container | HostError | None, expected: Removal | None
) -> None:
    remover = ContainerRemover(Told([look]), Rule(Policy(), NOW), pace=Pace(), clock=Forever())
    assert remover.poll(PLANNED) == expected


@pytest.mark.parametrize(
    ("listed", "outcome", "error"),
    [
        (None, Outcome.UNKNOWN, "the final list could not be read"),
        ([PLANNED], Outcome.FAILED, "the engine still lists it"),
        ([], Outcome.REMOVED, None),
    ],
)
def test_only_what_the_last_list_lacks_was_removed(
    listed: list[Container] | None, outcome: Outcome, error: str | None
) -> None:
    ledger = Ledger(Log())
    ledger.intend(PLANNED)
    verify([Removal(PLANNED.id, Outcome.REMOVED)], listed, ledger)
    assert ledger.close() == (Removal(PLANNED.id, outcome, error),)


def test_a_ledger_keeps_what_first_hindered_it() -> None:
    ledger = Ledger(Log(writes=1))
    ledger.intend(PLANNED)
    assert ledger.trouble is None
    assert ledger.close() == (Removal(PLANNED.id, Outcome.UNKNOWN, "no outcome by the deadline"),)
    assert str(ledger.trouble) == "disk full"


def decisions_of(items: Sequence[Container]) -> list[Decision]:
    return [decide(item, Policy(), NOW) for item in items]


def test_what_stopped_the_removing_is_told_with_what_was_asked_for_by_then() -> None:
    items = many(2)
    engine = FakeEngine(items, set())
    asked = asked_of(engine, decisions_of(items), Ledger(Log(1)))
    assert str(asked.error) == "disk full"
    assert len(asked.unproven) == len(engine.asked) <= 1


def test_at_the_deadline_nothing_more_is_intended_or_asked_for() -> None:
    log, engine = Log(), FakeEngine(many(3), set())
    asked_of(engine, decisions_of(many(3)), Ledger(log), clock=Over())
    assert (log.intents, engine.asked) == ([], [])


BRISK = Pace(look_s=0.2, answer_s=0.2, slow_s=0.02, progress_s=0.05, poll_s=0.001)


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
            raise LostAnswer(Phase.ENGINE, "timeout", "the answer did not come")
        if (reply := self.replies.get(self.present[container_id].name)) is not None:
            raise reply
        self.ended.append(container_id)
        del self.present[container_id]


def test_removals_that_hang_cost_only_themselves_though_all_hands_wait_for_one() -> None:
    items = many(20)
    hung = [item.id for item in items[:4]]
    engine, ledger = Odd(items, hung), Ledger(Log())
    asked = asked_of(engine, decisions_of(items), ledger, pace=replace(BRISK, answer_s=5.0, slow_s=0.01))
    verify(asked.unproven, list(engine.present.values()), ledger)
    outcomes = {removal.container_id: removal.outcome for removal in ledger.close()}
    assert [outcomes.pop(container_id) for container_id in hung] == [Outcome.UNKNOWN] * 4
    assert list(outcomes.values()) == [Outcome.REMOVED] * 16
    assert asked.doubt


def test_no_more_than_the_most_go_at_once_however_many_hang() -> None:
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
    asked_of(engine, decisions_of(items), Ledger(Log()), pace=replace(BRISK, at_once=2, most=3))
    assert (len(at_once), max(at_once)) == (9, 3)


def test_a_removal_by_another_that_goes_on_is_awaited_briefly_while_others_go() -> None:
    items = many(9)
    items[0] = replace(items[0], name="ws-busy")
    engine, ledger = Odd(items, replies={"ws-busy": UNDER_WAY}), Ledger(Log())
    asked = asked_of(engine, decisions_of(items), ledger, pace=replace(BRISK, at_once=1))
    assert len(asked.unproven) == 8
    assert ledger.close()[0] == Removal(items[0].id, Outcome.UNKNOWN, "another removal of it was still in progress")
    assert engine.asked.count(items[0].id) == 1


def test_a_bug_at_one_container_costs_it_its_outcome_and_no_other_one() -> None:
    items = many(5)
    items[2] = replace(items[2], name="ws-odd")
    engine, ledger = Odd(items, replies={"ws-odd": ZeroDivisionError("by 0")}), Ledger(Log())
    asked = asked_of(engine, decisions_of(items), ledger, pace=BRISK)
    assert isinstance(asked.error, ZeroDivisionError)
    assert {removal.container_id for removal in asked.unproven} == {item.id for item in items} - {items[2].id}
    (odd,) = (removal for removal in ledger.close() if removal.container_id == items[2].id)
    assert (odd.outcome, odd.error) == (Outcome.UNKNOWN, "a bug: ZeroDivisionError: by 0")


def test_one_that_never_comes_back_is_left_without_an_outcome_when_the_time_is_over() -> None:
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
        asked = asked_of(engine, decisions_of(items), ledger, clock=Counting(), pace=BRISK)
        verify(asked.unproven, list(engine.present.values()), ledger)
        outcomes = {removal.container_id: removal for removal in ledger.close()}
    finally:
        end.set()
    assert asked.doubt
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
    assert len(asked_of(engine, decisions_of(items), ledger).unproven) == 4
    order = [engine.asked.index(item.id) for item in items]
    assert order[2] < order[1] < order[0]
    assert order[3] < order[0]


@pytest.mark.parametrize("stubborn", [True, False])
def test_what_a_dependent_that_stays_lives_on_is_not_touched(stubborn: bool) -> None:
    """The engine's word is not enough: one that it called removed and still has, stays."""
    items = [replace(item, name=f"ws-{number}") for number, item in enumerate(lives_on(many(3), (1, 0)))]
    engine: FakeEngine = FakeEngine(items, {items[1].id}) if stubborn else Odd(items, replies={"ws-1": BUSY})
    ledger = Ledger(Log())
    asked_of(engine, decisions_of(items), ledger, pace=BRISK)
    assert items[0].id not in engine.asked
    outcomes = {removal.container_id: removal for removal in ledger.close()}
    assert outcomes[items[0].id] == Removal(items[0].id, Outcome.CHANGED, "it is in use by ws-1")


def test_those_that_live_on_each_other_both_stay() -> None:
    items = lives_on(many(3), (0, 1), (1, 0))
    engine, ledger = FakeEngine(items, set()), Ledger(Log())
    asked_of(engine, decisions_of(items), ledger)
    assert engine.asked == [items[2].id]
    outcomes = [removal.outcome for removal in ledger.close() if removal.container_id != items[2].id]
    assert outcomes == [Outcome.CHANGED] * 2


def test_what_a_newcomer_lives_on_is_not_touched() -> None:
    items = many(2)
    engine, ledger = FakeEngine(items, set()), Ledger(Log())
    asked_of(engine, decisions_of(items), ledger, in_use={items[0].id: "it is in use by ws-new now"})
    assert engine.asked == [items[1].id]
    assert Removal(items[0].id, Outcome.CHANGED, "it is in use by ws-new now") in ledger.close()


@pytest.mark.parametrize(
    ("running", "seconds", "waits", "at_once"),
    [(48, 50, False, 4), (48, 50, True, 24), (100, 50, True, 50), (3, 50, True, 4), (0, 50, True, 4), (9, 5, True, 9)],
)
def test_where_an_engine_waits_as_many_go_at_once_as_fit_into_half_the_time(
    running: int, seconds: float, waits: bool, at_once: int
) -> None:
    items = [*many(running), *(replace(item, id="f" + item.id[1:], state="exited") for item in many(5))]
    pace = pace_for(decisions_of(items), seconds, waits=waits)
    assert pace.at_once == at_once
    assert pace.most > pace.at_once
