"""Every intent has exactly one outcome, even if the journal fails or the host is abandoned."""

from __future__ import annotations

import pytest

from fleetsweep.errors import FleetsweepError
from fleetsweep.model.container import Target
from fleetsweep.model.evidence import Evidence
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.sweep.ledger import Ledger
from tests.policy.test_rules import many

(CONTAINER,) = many(1)


class Log:
    """An intent log that breaks after so many writes."""

    def __init__(self, writes: int = 10**6) -> None:
        self.left = writes
        self.intents: list[str] = []
        self.outcomes: dict[int, Outcome] = {}
        self.errors: dict[int, str | None] = {}
        self.evidence: dict[int, Evidence] = {}

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
        self.errors[intent] = removal.error

    def keep(self, intent: int, evidence: Evidence, /) -> None:
        self._write()
        assert intent not in self.outcomes
        self.evidence[intent] = evidence

    def flush(self) -> None:
        if self.left == 0:
            raise FleetsweepError("disk full")


def test_a_ledger_that_is_closed_takes_no_intent() -> None:
    ledger = Ledger(Log())
    ledger.close()
    with pytest.raises(FleetsweepError, match=r"^the host was given up$"):
        ledger.intend(many(1)[0])


def test_the_first_outcome_counts() -> None:
    log = Log()
    ledger = Ledger(log)
    ledger.intend(CONTAINER)
    ledger.conclude(Removal(CONTAINER.id, Outcome.REMOVED))
    ledger.conclude(Removal(CONTAINER.id, Outcome.FAILED, "too late"))
    assert log.outcomes == {0: Outcome.REMOVED}
    assert ledger.close() == (Removal(CONTAINER.id, Outcome.REMOVED),)


def test_a_ledger_that_is_closed_takes_no_outcome() -> None:
    log = Log()
    ledger = Ledger(log)
    ledger.intend(CONTAINER)
    ledger.close()
    ledger.conclude(Removal(CONTAINER.id, Outcome.REMOVED))
    other = "f" * 64
    ledger.conclude(Removal(other, Outcome.REMOVED))
    assert log.outcomes == {0: Outcome.UNKNOWN}


def test_a_ledger_keeps_the_error_of_a_failed_write() -> None:
    ledger = Ledger(Log(writes=1))
    ledger.intend(CONTAINER)
    assert ledger.trouble is None
    assert ledger.close() == (Removal(CONTAINER.id, Outcome.UNKNOWN, "no outcome by the deadline"),)
    assert str(ledger.trouble) == "disk full"


def test_an_intent_that_is_withdrawn_has_the_reason_in_the_log_and_no_outcome_here() -> None:
    log = Log()
    ledger = Ledger(log)
    ledger.intend(CONTAINER)
    ledger.withdraw([CONTAINER.id, "f" * 64], "not attempted")
    assert (log.outcomes, log.errors) == ({0: Outcome.FAILED}, {0: "not attempted"})
    assert ledger.close() == ()
    assert ledger.trouble is None


def test_a_ledger_keeps_the_error_of_a_withdrawal_that_could_not_be_written() -> None:
    ledger = Ledger(Log(writes=1))
    ledger.intend(CONTAINER)
    ledger.withdraw([CONTAINER.id], "not attempted")
    assert str(ledger.trouble) == "disk full"


class BrokenTwice:
    """A journal whose outcome can't be written, and then can't be flushed either."""

    def intend(self, target: Target, /) -> int:
        return 0

    def conclude(self, intent: int, removal: Removal, /) -> None:
        raise FleetsweepError("the outcome was not written")

    def keep(self, intent: int, evidence: Evidence, /) -> None:
        raise FleetsweepError("the evidence was not written")

    def flush(self) -> None:
        raise FleetsweepError("the disk is gone")


def test_a_ledger_reports_the_first_error_of_its_journal() -> None:
    ledger = Ledger(BrokenTwice())
    ledger.intend(CONTAINER)
    ledger.conclude(Removal(CONTAINER.id, Outcome.REMOVED))
    assert ledger.close() == (Removal(CONTAINER.id, Outcome.REMOVED),)
    assert str(ledger.trouble) == "the outcome was not written"


def test_a_host_that_is_abandoned_while_an_intent_is_written_gets_no_request() -> None:
    (container,) = many(1)

    class SlowLog(Log):
        def intend(self, target: Target, /) -> int:
            intent = super().intend(target)
            assert ledger.close() == ()
            return intent

    log = SlowLog()
    ledger = Ledger(log)
    with pytest.raises(FleetsweepError, match="the host was given up"):
        ledger.intend(container)
    assert log.outcomes == {}, "the intent stays open in the journal: the next run settles it"
    assert ledger.close() == ()


def test_a_journal_that_lost_one_outcome_takes_no_intent_even_if_it_recovers() -> None:
    class Hiccup(Log):
        def conclude(self, intent: int, removal: Removal, /) -> None:
            raise FleetsweepError("disk full")

    log = Hiccup()
    ledger = Ledger(log)
    one_of, other = many(2)
    ledger.intend(one_of)
    ledger.conclude(Removal(one_of.id, Outcome.CHANGED, "x"))
    with pytest.raises(FleetsweepError, match="disk full"):
        ledger.intend(other)
    assert log.intents == [one_of.id]
