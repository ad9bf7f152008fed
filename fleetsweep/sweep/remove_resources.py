"""Remove the volumes and networks of one run: an intent, a second inspection, one request and a check for each."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from fleetsweep.errors import EngineError, HostError, LostAnswer
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.model.run_scope import Resource
from fleetsweep.policy.rules import resources_of_run
from fleetsweep.sweep.ledger import Ledger
from fleetsweep.sweep.remove_containers import Clock, Pace, Rule


class Engine(Protocol):
    """The operations of an engine that removing resources needs. Each raises HostError."""

    def inspect_resource(self, resource: Resource, /, *, within: float | None = None) -> Resource | None:
        """Return its current state; None if it is gone."""

    def remove_resource(self, resource: Resource, /, *, within: float | None = None) -> None:
        """Send one request to remove it. The engine refuses if it is in use."""


class ResourceRemover:
    """Removes volumes and networks of one host. Every outcome goes to the ledger."""

    def __init__(self, engine: Engine, rule: Rule, ledger: Ledger, *, stopped: threading.Event, clock: Clock) -> None:
        self._engine = engine
        self._rule = rule
        self._ledger = ledger
        self._stopped = stopped
        self._clock = clock

    def remove_all(self, planned: Sequence[Resource]) -> None:
        """Remove them one after the other, until the run is stopped or the host's time is over.

        Raises FleetsweepError when an intent could not be recorded; no request follows a failed intent.
        """
        for resource in planned:
            if self._stopped.is_set() or self._clock.remaining() <= 0:
                return
            self._ledger.intend(resource)
            outcome, error = self._remove(resource)
            self._ledger.conclude(Removal(resource.id, outcome, error))

    def _remove(self, planned: Resource) -> tuple[Outcome, str | None]:
        try:
            current = self._engine.inspect_resource(planned, within=Pace.look_s)
        except HostError as error:
            return Outcome.FAILED, f"not removed: it could not be inspected again: {error.message}"
        if current is None:
            return Outcome.GONE, None
        if current != planned or not resources_of_run([current], self._rule.policy, self._rule.now_ns):
            return Outcome.CHANGED, "it is another one now, or has other labels"
        return self._request(planned)

    def _request(self, planned: Resource) -> tuple[Outcome, str | None]:
        """Send one request and check its effect."""
        outcome = Outcome.REMOVED
        try:
            self._engine.remove_resource(planned, within=Pace.answer_s)
        except LostAnswer as error:
            return Outcome.UNKNOWN, error.message
        except HostError as error:
            if not isinstance(error, EngineError) or error.http_status != 404:
                return Outcome.FAILED, "; ".join(filter(None, (error.message, error.remedy)))
            outcome = Outcome.GONE
        try:
            left = self._engine.inspect_resource(planned, within=Pace.look_s)
        except HostError as error:
            return Outcome.UNKNOWN, f"it could not be inspected afterwards: {error.message}"
        # A volume has only its name for an id. One that another job created meanwhile differs in its creation time.
        return (Outcome.FAILED, "the engine still has it") if left == planned else (outcome, None)
