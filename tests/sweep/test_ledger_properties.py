"""A ledger under any order of intents, outcomes and a close."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from fleetsweep.errors import FleetsweepError
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.sweep.ledger import Ledger
from tests.generators.engines import Log
from tests.policy.test_rules import many

CONTAINERS = many(6)


class Ops(RuleBasedStateMachine):
    """A ledger under any order of intents, conclusions and a close."""

    def __init__(self) -> None:
        super().__init__()
        self.log = Log()
        self.ledger = Ledger(self.log)
        self.first: dict[str, Removal] = {}
        self.intended: list[str] = []
        self.withdrawn: list[str] = []
        self.closed: tuple[Removal, ...] | None = None

    @rule(number=st.integers(0, 5))
    def intend(self, number: int) -> None:
        if CONTAINERS[number].id in (*self.intended, *self.withdrawn):
            return
        container = CONTAINERS[number]
        if self.closed is not None:
            with pytest.raises(FleetsweepError, match="the host was given up"):
                self.ledger.intend(container)
            return
        self.ledger.intend(container)
        self.intended.append(container.id)

    @rule(number=st.integers(0, 5), outcome=st.sampled_from(Outcome))
    def conclude(self, number: int, outcome: Outcome) -> None:
        if CONTAINERS[number].id not in self.intended:
            return
        removal = Removal(CONTAINERS[number].id, outcome, "x")
        self.ledger.conclude(removal)
        if self.closed is None:
            self.first.setdefault(removal.container_id, removal)

    @rule(number=st.integers(0, 5))
    def withdraw(self, number: int) -> None:
        one = CONTAINERS[number].id
        self.ledger.withdraw([one], "not attempted")
        if self.closed is None and one in self.intended and one not in self.first:
            assert self.log.outcomes[self.log.intents.index(one)] is Outcome.FAILED
            self.intended.remove(one)
            self.withdrawn.append(one)

    @rule()
    def close(self) -> None:
        unknown = {it: Removal(it, Outcome.UNKNOWN, "no outcome by the deadline") for it in self.intended}
        expected = tuple({**unknown, **self.first}[container_id] for container_id in self.intended)
        assert self.ledger.close() == expected
        assert self.closed in {None, expected}
        self.closed = expected
        assert len(self.log.outcomes) == len(self.log.intents) == len(self.intended) + len(self.withdrawn)


TestLedger = Ops.TestCase
TestLedger.settings = settings(max_examples=30, stateful_step_count=12)
