"""Removing the volumes and networks of one run: intent, second look, one request each, and proof."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from fleetsweep.errors import EngineError, HostError, LostAnswer
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.run_scope import Resource
from fleetsweep.policy.rules import Policy, resources_of_run
from fleetsweep.sweep.remove_containers import Clock, Ledger, Pace


class Engine(Protocol):
    """What this needs of an engine."""

    def inspect_resource(self, resource: Resource, /, *, within: float | None = None) -> Resource | None:
        """It as it is now; None if it is gone."""

    def remove_resource(self, resource: Resource, /, *, within: float | None = None) -> None:
        """Remove it, once, and not if it is in use."""


def remove_resources(
    engine: Engine,
    planned: Sequence[Resource],
    policy: Policy,
    now_ns: int,
    ledger: Ledger,
    *,
    stopped: threading.Event,
    clock: Clock,
) -> None:
    """Remove them one after the other: every outcome is in the ledger when this returns.

    Raises FleetsweepError when an intent could not be recorded; no request follows a failed intent.
    """
    for resource in planned:
        if stopped.is_set() or clock.remaining() <= 0:
            return
        ledger.intend(resource)
        outcome, error = _remove(engine, resource, policy, now_ns)
        ledger.conclude(Removal(resource.id, outcome, error))


def _remove(engine: Engine, planned: Resource, policy: Policy, now_ns: int) -> tuple[Outcome, str | None]:
    try:
        current = engine.inspect_resource(planned, within=Pace.look_s)
    except HostError as error:
        return Outcome.FAILED, f"not removed: it could not be looked at again: {error.message}"
    if current is None:
        return Outcome.GONE, None
    if current != planned or not resources_of_run([current], policy, now_ns):
        return Outcome.CHANGED, "it is another one now, or has other labels"
    return _ask(engine, planned)


def _ask(engine: Engine, planned: Resource) -> tuple[Outcome, str | None]:
    """Ask for it once, and prove it."""
    try:
        engine.remove_resource(planned, within=Pace.answer_s)
    except LostAnswer as error:
        return Outcome.UNKNOWN, error.message
    except HostError as error:
        gone = isinstance(error, EngineError) and error.http_status == 404
        return (Outcome.GONE, None) if gone else (Outcome.FAILED, error.message)
    try:
        left = engine.inspect_resource(planned, within=Pace.look_s)
    except HostError as error:
        return Outcome.UNKNOWN, f"it could not be looked at afterwards: {error.message}"
    # A volume is known by its name alone: one that another job made meanwhile has another time.
    return (Outcome.FAILED, "the engine still has it") if left == planned else (Outcome.REMOVED, None)
