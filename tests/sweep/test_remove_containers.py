"""Removing one container: the outcome of each response, and what changed since the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from fleetsweep.errors import EngineError, FaultKind, HostError, LostAnswer, Phase
from fleetsweep.model.container import Container
from fleetsweep.model.decision import Decision, Reason
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.policy.rules import Policy, decide
from fleetsweep.sweep.ledger import Ledger
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
from tests.sweep.test_ledger import Log
from tests.sweep.test_removal_workers import Forever, Over, decisions_of


def remove_one(
    engine: Engine, decision: Decision, rule: Rule | None = None, clock: Clock | None = None
) -> Removal | None:
    remover = ContainerRemover(engine, rule or Rule(Policy(), NOW), pace=Pace(), clock=clock or Forever())
    return remover.remove(decision)


class Replies:
    """An engine that returns each of ``looks`` in turn, and raises ``reply`` for a removal if there is one."""

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


GONE_WRONG = EngineError(FaultKind.REFUSED, "HTTP 500: driver failed", http_status=500)


FORBIDDEN = EngineError(FaultKind.REFUSED, "forbidden (HTTP 403: no)", "allow DELETE there", http_status=403)
BUSY = EngineError(FaultKind.REFUSED, "HTTP 500: busy", http_status=500)


NOT_FOUND = EngineError(FaultKind.REFUSED, "HTTP 404: no such container", http_status=404)


UNDER_WAY = EngineError(FaultKind.REFUSED, "HTTP 409: removal of it is already in progress", http_status=409)


CONFLICT = EngineError(FaultKind.REFUSED, "HTTP 409: another conflict", http_status=409)


LOST = LostAnswer(Phase.ENGINE, FaultKind.LOST, "the tunnel ended")


SLOW = LostAnswer(Phase.ENGINE, FaultKind.TIMEOUT, "no answer within 13 s")


DEPENDENTS = EngineError(FaultKind.REFUSED, "HTTP 500: container has dependent containers", http_status=500)


NOT_AGAIN = "not removed: it could not be inspected again: HTTP 500: driver failed"


CHANGED = "its {} changed after the plan was made"


NO_STREAM = HostError(Phase.TUNNEL, FaultKind.REFUSED, "no new stream")


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
        ([PLANNED, PLANNED], FORBIDDEN, Outcome.FAILED, "forbidden (HTTP 403: no); allow DELETE there", True),
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
def test_each_response_has_its_outcome_and_message(
    looks: list[Container | HostError | None], reply: HostError | None, outcome: Outcome, error: str | None, asked: bool
) -> None:
    engine = Replies(looks, reply)
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
def test_only_running_containers_are_forced_and_volumes_follow_the_rule(state: str, force: bool, volumes: bool) -> None:
    planned = replace(PLANNED, state=state)
    engine = Replies([planned])
    remove_one(engine, decide(planned, Policy(), NOW), Rule(Policy(), NOW, volumes))
    assert engine.asked == [(force, volumes)]


@pytest.mark.parametrize(
    ("process", "message"),
    [(4711, "its process 4711 still runs: on the box: kill -9 4711,"), (None, "kill -9 that process"), (BUSY, "runs")],
)
def test_what_is_being_stopped_is_not_removed_where_its_process_would_be_forgotten(
    process: int | HostError | None, message: str
) -> None:
    stopping = replace(PLANNED, state="stopping")
    engine = Replies([stopping])
    engine.forgets_what_is_stopping = True
    engine.process = process
    decision = decide(stopping, Policy(), NOW)
    removal = remove_one(engine, decision)
    assert removal is not None
    assert (removal.outcome, engine.asked) == (Outcome.FAILED, [])
    assert message in (removal.error or "")
    assert "then sweep again" in (removal.error or "")


RESTARTED = replace(PLANNED, state="restarting", started_ns=NOW + 60 * 10**9)


@pytest.mark.parametrize(
    ("current", "reason", "message"),
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
    current: Container, reason: Reason, message: str | None
) -> None:
    decision = replace(decide(PLANNED, Policy(), NOW), reason=reason)
    assert decision.labels_digest
    assert what_changed(decision, current, Rule(Policy(max_lifetime_s=3600), NOW)) == message


def test_no_request_follows_an_inspection_that_ended_after_the_hosts_time() -> None:
    engine = Replies([PLANNED])
    removal = remove_one(engine, decide(PLANNED, Policy(), NOW), clock=Over())
    assert removal == Removal(PLANNED.id, Outcome.FAILED, "not removed: the host's time was over")
    assert engine.asked == []


def test_a_container_held_after_the_plan_was_made_is_kept() -> None:
    engine = Replies([PLANNED])
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
    remover = ContainerRemover(Replies([look]), Rule(Policy(), NOW), pace=Pace(), clock=Forever())
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


@pytest.mark.parametrize(
    ("running", "seconds", "waits", "at_once"),
    [(48, 50, False, 4), (48, 50, True, 24), (100, 50, True, 50), (3, 50, True, 4), (0, 50, True, 4), (9, 5, True, 9)],
)
def test_an_engine_that_waits_gets_a_pace_that_fits_into_half_the_time(
    running: int, seconds: float, waits: bool, at_once: int
) -> None:
    items = [*many(running), *(replace(item, id="f" + item.id[1:], state="exited") for item in many(5))]
    pace = pace_for(decisions_of(items), seconds, waits=waits)
    assert pace.at_once == at_once
    assert pace.most > pace.at_once
