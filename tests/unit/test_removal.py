"""The ledger: every intent has exactly one outcome, and no journal, no removal."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.errors import FleetsweepError
from fleetsweep.model import Container, Outcome, Removal, Target
from fleetsweep.policy import Policy, decide
from fleetsweep.removal import Ledger, Unfinished, remove_all, settle
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
