"""Removing the volumes and networks of a run."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from fleetsweep.errors import EngineError, FaultKind, FleetsweepError, HostError, LostAnswer, Phase
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.run_scope import Resource, ResourceKind, RunScope
from fleetsweep.policy.rules import Policy
from fleetsweep.sweep.ledger import Ledger
from fleetsweep.sweep.remove_containers import Clock, Rule
from fleetsweep.sweep.remove_resources import ResourceRemover
from tests.policy.test_rules import NOW
from tests.sweep.test_ledger import Log
from tests.sweep.test_removal_workers import Forever, Over

RUN = RunScope(("fleetsweep.run", "one"))
VOLUME = Resource(ResourceKind.VOLUME, "data", "data", "2027-01-15T07:00:00Z", {"fleetsweep.run": "one"})
OTHER = replace(VOLUME, ref="other", name="other")
BUSY = EngineError(FaultKind.REFUSED, "HTTP 409: volume is in use", http_status=409)
MISSING = EngineError(FaultKind.REFUSED, "HTTP 404: no such volume", http_status=404)
LOST = LostAnswer(Phase.ENGINE, FaultKind.LOST, "the tunnel ended")

Look = Resource | HostError | None


class Engine:
    """An engine that returns each of ``looks`` in turn, and raises ``reply`` for a removal if there is one."""

    def __init__(self, *looks: Look, reply: HostError | None = None) -> None:
        self.looks = list(looks)
        self.reply = reply
        self.removed: list[str] = []

    def inspect_resource(self, resource: Resource, /, *, within: float | None = None) -> Resource | None:
        assert within is not None
        found = self.looks.pop(0)
        if isinstance(found, HostError):
            raise found
        return found

    def remove_resource(self, resource: Resource, /, *, within: float | None = None) -> None:
        assert within is not None
        self.removed.append(resource.ref)
        if self.reply is not None:
            raise self.reply


def remove(
    engine: Engine,
    *planned: Resource,
    log: Log | None = None,
    stopped: threading.Event | None = None,
    clock: Clock | None = None,
) -> tuple[Removal, ...]:
    ledger = Ledger(log or Log())
    rule = Rule(Policy(run=RUN), NOW)
    remover = ResourceRemover(engine, rule, ledger, stopped=stopped or threading.Event(), clock=clock or Forever())
    remover.remove_all(planned or (VOLUME,))
    return ledger.close()


@pytest.mark.parametrize(
    ("looks", "reply", "outcome", "error", "requested"),
    [
        ([VOLUME, None], None, Outcome.REMOVED, None, True),
        ([VOLUME, replace(VOLUME, created="later")], None, Outcome.REMOVED, None, True),
        ([VOLUME, VOLUME], None, Outcome.FAILED, "the engine still has it", True),
        ([None], None, Outcome.GONE, None, False),
        ([VOLUME, None], MISSING, Outcome.GONE, None, True),
        ([VOLUME, VOLUME], MISSING, Outcome.FAILED, "the engine still has it", True),
        ([VOLUME], BUSY, Outcome.FAILED, BUSY.message, True),
        ([VOLUME], LOST, Outcome.UNKNOWN, LOST.message, True),
        ([BUSY], None, Outcome.FAILED, f"not removed: it could not be inspected again: {BUSY.message}", False),
        ([VOLUME, BUSY], None, Outcome.UNKNOWN, f"it could not be inspected afterwards: {BUSY.message}", True),
    ],
)
def test_each_response_has_its_outcome(
    looks: list[Look], reply: HostError | None, outcome: Outcome, error: str | None, requested: bool
) -> None:
    engine = Engine(*looks, reply=reply)
    assert remove(engine) == (Removal("volume:data", outcome, error),)
    assert engine.removed == (["data"] if requested else [])


@pytest.mark.parametrize(
    "current",
    [
        replace(VOLUME, created="later"),
        replace(VOLUME, labels={"fleetsweep.run": "two"}),
        replace(VOLUME, labels={**(VOLUME.labels or {}), "fleetsweep.keep": "true"}),
        replace(VOLUME, labels=None),
    ],
)
def test_a_resource_that_differs_from_the_plan_is_not_removed(current: Resource) -> None:
    engine = Engine(current)
    assert remove(engine) == (Removal("volume:data", Outcome.CHANGED, "it is another one now, or has other labels"),)
    assert engine.removed == []


def test_a_resource_that_became_protected_as_planned_is_not_removed() -> None:
    """A plan that was tampered with claims the protected state for its own: the rule is applied again."""
    protected = replace(VOLUME, labels={**(VOLUME.labels or {}), "fleetsweep.keep": "true"})
    engine = Engine(protected)
    (removal,) = remove(engine, protected)
    assert (removal.outcome, engine.removed) == (Outcome.CHANGED, [])


def test_no_request_follows_a_failed_intent() -> None:
    engine = Engine(VOLUME, None, OTHER, None)
    with pytest.raises(FleetsweepError, match="disk full"):
        remove(engine, VOLUME, OTHER, log=Log(writes=2))
    assert engine.removed == ["data"]


def test_after_a_stop_or_the_deadline_nothing_is_intended() -> None:
    stopped = threading.Event()
    stopped.set()
    assert remove(Engine(), stopped=stopped) == ()
    assert remove(Engine(), clock=Over()) == ()
