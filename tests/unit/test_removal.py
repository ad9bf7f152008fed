"""The ledger: every intent has exactly one outcome, and no journal, no removal."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.errors import EngineError, FleetsweepError, HostError, LostAnswer, Phase
from fleetsweep.model import Container, Outcome, Removal, Target
from fleetsweep.policy import Policy, decide
from fleetsweep.removal import Ledger, Unfinished, remove_all, remove_one, settle
from tests.unit.test_policy import NOW, many


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

    def inspect(self, container_id: str, /) -> Container | None:
        return self.present.get(container_id)

    def remove(self, container_id: str, /, *, force: bool, volumes: bool) -> None:
        self.asked.append(container_id)
        if container_id not in self.stubborn:
            del self.present[container_id]


class Forever:
    def remaining(self) -> float:
        return 60.0


def sweep(count: int, log: Log, stubborn: set[int]) -> tuple[FakeEngine, tuple[Removal, ...]]:
    items = many(count)
    engine = FakeEngine(items, {items[number].id for number in stubborn if number < count})
    ledger = Ledger(log)
    decisions = [decide(item, Policy(), NOW) for item in items]
    try:
        unproven = remove_all(
            engine, decisions, Policy(), NOW, ledger, volumes=False, stopped=threading.Event(), clock=Forever()
        )
    except Unfinished as error:
        unproven = error.unproven
    settle(unproven, list(engine.present.values()), ledger)
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

    def inspect(self, container_id: str, /) -> Container | None:
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(look, HostError):
            raise look
        return look

    def remove(self, container_id: str, /, *, force: bool, volumes: bool) -> None:
        self.asked.append((force, volumes))
        if self.reply is not None:
            raise self.reply


class Soon:
    """A deadline a few looks away."""

    def __init__(self) -> None:
        self.left = 6

    def remaining(self) -> float:
        self.left -= 1
        return 1e-6 * max(0, self.left)


(PLANNED,) = many(1)
STOPPED = replace(PLANNED, state="exited")
GONE_WRONG = EngineError("refused", "HTTP 500: driver failed", http_status=500)
BUSY = EngineError("refused", "HTTP 500: busy", http_status=500)
NOT_FOUND = EngineError("refused", "HTTP 404: no such container", http_status=404)
UNDER_WAY = EngineError("refused", "HTTP 409: removal of it is already in progress", http_status=409)
CONFLICT = EngineError("refused", "HTTP 409: another conflict", http_status=409)
LOST = LostAnswer(Phase.ENGINE, "lost", "the tunnel ended")
NOT_AGAIN = "not removed: it could not be looked at again: HTTP 500: driver failed"
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
        ([STOPPED, replace(STOPPED, state="dead")], BUSY, Outcome.FAILED, "killed, not removed: HTTP 500: busy", True),
        ([PLANNED, replace(PLANNED, name="ws-2")], BUSY, Outcome.CHANGED, CHANGED.format("name"), True),
        ([PLANNED, PLANNED], CONFLICT, Outcome.FAILED, "HTTP 409: another conflict", True),
        ([PLANNED, PLANNED, None], UNDER_WAY, Outcome.GONE, None, True),
        ([PLANNED, PLANNED, GONE_WRONG], UNDER_WAY, Outcome.UNKNOWN, "HTTP 500: driver failed", True),
        ([PLANNED], UNDER_WAY, Outcome.UNKNOWN, "another removal of it was still in progress at the deadline", True),
    ],
)  # fmt: skip
def test_each_answer_has_its_outcome_and_its_words(
    looks: list[Container | HostError | None], reply: HostError | None, outcome: Outcome, error: str | None, asked: bool
) -> None:
    engine = Told(looks, reply)
    planned = STOPPED if looks[0] is STOPPED else PLANNED
    removal = remove_one(engine, decide(planned, Policy(), NOW), Policy(), NOW, volumes=False, clock=Soon())
    assert removal == Removal(PLANNED.id, outcome, error)
    assert bool(engine.asked) == asked


@pytest.mark.parametrize("volumes", [True, False])
@pytest.mark.parametrize(
    ("state", "force"), [("running", True), ("paused", True), ("exited", False), ("created", False)]
)
def test_force_is_for_what_runs_and_volumes_go_where_that_was_asked_for(state: str, force: bool, volumes: bool) -> None:
    planned = replace(PLANNED, state=state)
    engine, ledger = Told([planned]), Ledger(Log())
    decisions = [decide(planned, Policy(), NOW)]
    remove_all(engine, decisions, Policy(), NOW, ledger, volumes=volumes, stopped=threading.Event(), clock=Forever())
    assert engine.asked == [(force, volumes)]


def test_what_is_held_after_the_plan_was_made_lives() -> None:
    engine = Told([PLANNED])
    held = Policy(held={PLANNED.id: "held by ann"})
    removal = remove_one(engine, decide(PLANNED, Policy(), NOW), held, NOW, volumes=False, clock=Forever())
    assert (removal.outcome, removal.error, engine.asked) == (Outcome.CHANGED, "it is held now", [])


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
    settle([Removal(PLANNED.id, Outcome.REMOVED)], listed, ledger)
    assert ledger.close() == (Removal(PLANNED.id, outcome, error),)


def test_a_ledger_keeps_what_first_hindered_it() -> None:
    ledger = Ledger(Log(writes=1))
    ledger.intend(PLANNED)
    assert ledger.trouble is None
    assert ledger.close() == (Removal(PLANNED.id, Outcome.UNKNOWN, "no outcome by the deadline"),)
    assert str(ledger.trouble) == "disk full"


def test_what_stopped_the_removing_is_told_with_what_was_asked_for_by_then() -> None:
    items = many(2)
    engine = FakeEngine(items, set())
    decisions = [decide(item, Policy(), NOW) for item in items]
    with pytest.raises(Unfinished, match="disk full") as stopped:
        remove_all(
            engine, decisions, Policy(), NOW, Ledger(Log(1)), volumes=False, stopped=threading.Event(), clock=Forever()
        )
    assert len(stopped.value.unproven) == len(engine.asked) <= 1


class Over:
    def remaining(self) -> float:
        return 0.0


def test_at_the_deadline_nothing_more_is_intended_or_asked_for() -> None:
    log, engine = Log(), FakeEngine(many(3), set())
    decisions = [decide(item, Policy(), NOW) for item in many(3)]
    remove_all(engine, decisions, Policy(), NOW, Ledger(log), volumes=False, stopped=threading.Event(), clock=Over())
    assert (log.intents, engine.asked) == ([], [])
