"""Remove one container: inspect it again, send one request, interpret the response. Then verify all by a final list.

``removal_workers`` decides the order, and what runs in parallel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from fleetsweep.errors import EngineError, HostError, LostAnswer
from fleetsweep.model import states
from fleetsweep.model.container import Container, Inspected
from fleetsweep.model.decision import Decision, Reason, Verdict
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.policy.rules import EARLIEST_NS, Policy, decide, labels_digest
from fleetsweep.sweep.ledger import Ledger

if TYPE_CHECKING:
    from fleetsweep.model.evidence import Document

ABSENT: Final = frozenset({Outcome.REMOVED, Outcome.GONE})
"""The outcomes of a container that is no longer there."""

STOP_S: Final = 10
"""Podman's default stop timeout, in seconds: how long a container may take to exit after SIGTERM."""


@dataclass(frozen=True)
class Pace:
    """How many removals run in parallel on one engine, and the time limit of each step, in seconds.

    A removal that has been running for ``slow_s`` no longer counts towards ``at_once``, so another one starts; ``most``
    limits them all. Every ``check_s`` the pool looks for slow ones, and at the clock. Docker itself gives up on a kill
    after 12 s. More than four in parallel gain nothing on an engine that is busy all the time.
    """

    at_once: int = 4
    most: int = 32
    look_s: float = 5.0
    answer_s: float = 13.0
    slow_s: float = 2.0
    check_s: float = 0.5
    progress_s: float = 5.0
    poll_s: float = 0.1


def pace_for(candidates: Sequence[Decision], seconds: float, *, waits: bool) -> Pace:
    """Return the pace for one engine.

    ``waits`` marks an engine that grants each running container its stop timeout, which is sleep, not work. There the
    pace is chosen so that all removals fit into half of ``seconds``.
    """
    running = sum(decision.container.state in states.STARTED for decision in candidates)
    if not waits or not running:
        return Pace()
    rounds = max(1, int(seconds / 2 / STOP_S))
    at_once = max(Pace.at_once, math.ceil(running / rounds))
    return Pace(at_once=at_once, most=at_once + Pace.most, answer_s=3.0 * STOP_S, slow_s=1.5 * STOP_S)


class Engine(Protocol):
    """The operations of an engine that a removal needs. Each raises HostError."""

    @property
    def forgets_what_is_stopping(self) -> bool:
        """Whether removing a container that is being stopped leaves its process running."""

    def inspect(self, container_id: str, /, *, within: float | None = None) -> Container | None:
        """Return the container's current state; None if it is gone."""

    def process_of(self, container_id: str, /, *, within: float | None = None) -> int | None:
        """Return the PID of its first process on the box; None if the engine reports none."""

    def remove(self, container_id: str, /, *, force: bool, volumes: bool, within: float | None = None) -> None:
        """Send one request to remove it."""


class EvidenceKeeper(Protocol):
    """Keeps what is known of a container before it is removed."""

    def inspect(self, container_id: str, /, *, within: float) -> Inspected | None:
        """Return the container's current state; None if it is gone. Raises HostError."""

    def keep(self, container_id: str, document: Document, /) -> str:
        """Record the evidence. Return why the container must stay without it; empty if it may be removed."""


class Clock(Protocol):
    """The part of a deadline that a removal needs."""

    def remaining(self) -> float:
        """Return the seconds left."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What each candidate is judged by again before its request: the policy, at the time of the plan (``now_ns``).

    ``volumes`` removes a container's anonymous volumes with it.
    """

    policy: Policy
    now_ns: int
    volumes: bool = False


class ContainerRemover:
    """Removes containers of one host, one call each. No method raises HostError: the failure is the outcome."""

    def __init__(
        self, engine: Engine, rule: Rule, *, pace: Pace, clock: Clock, evidence: EvidenceKeeper | None = None
    ) -> None:
        self.engine = engine
        self.evidence = evidence
        self.rule = rule
        self.pace = pace
        self.clock = clock

    def remove(self, decision: Decision) -> Removal | None:
        """Inspect the container again, then remove it by its full id.

        Return None if another removal of it is in progress.
        """
        current = self._inspect_again(decision)
        if isinstance(current, Removal):
            return current
        try:
            self.engine.remove(current.id, force=_runs(current), volumes=self.rule.volumes, within=self.pace.answer_s)
        except LostAnswer as error:
            return Removal(current.id, Outcome.UNKNOWN, error.message)
        except HostError as error:  # including a tunnel that opened no new stream: then nothing was sent
            return self._interpret(error, decision, current)
        return Removal(current.id, Outcome.REMOVED)

    def poll(self, planned: Container) -> Removal | None:
        """Check whether another removal of the container has ended; None while it is in progress."""
        try:
            current = self.engine.inspect(planned.id, within=self.pace.look_s)
        except HostError as error:
            return Removal(planned.id, Outcome.UNKNOWN, error.message)
        return Removal(planned.id, Outcome.GONE) if current is None else None

    def _inspect_again(self, decision: Decision) -> Container | Removal:
        """Return the container's current state if it may be removed, else its outcome without any request."""
        planned = decision.container
        try:
            look = self._inspect(decision)
        except HostError as error:
            return _not_removed(planned, f"it could not be inspected again: {error.message}")
        if isinstance(look, Removal):
            return look
        current = look.container
        if current.state == "stopping" and self.engine.forgets_what_is_stopping:
            return _not_removed(planned, self._still_stopping(current))
        if self.evidence is not None and (missing := self.evidence.keep(current.id, look.document)):
            return _not_removed(planned, missing)
        if self.clock.remaining() <= 0:
            return _not_removed(planned, "the host's time was over")
        return current

    def _inspect(self, decision: Decision) -> Inspected | Removal:
        """Return the container's current state, or its outcome if it is gone or differs from the plan.

        Raises HostError.
        """
        planned = decision.container
        look = self._look(planned.id)
        if look is None:
            return Removal(planned.id, Outcome.GONE)
        difference = what_changed(decision, look.container, self.rule)
        return look if difference is None else Removal(planned.id, Outcome.CHANGED, difference)

    def _look(self, container_id: str) -> Inspected | None:
        if self.evidence is not None:
            return self.evidence.inspect(container_id, within=self.pace.look_s)
        current = self.engine.inspect(container_id, within=self.pace.look_s)
        return None if current is None else Inspected(current, {})

    def _still_stopping(self, current: Container) -> str:
        """Podman 4.3 was seen to respond 204 and forget the container while its process ran on, invisible to it."""
        try:
            process = self.engine.process_of(current.id, within=self.pace.look_s)
        except HostError:
            process = None
        which = f"its process {process}" if process else "its process"
        return (
            f"it is being stopped, and this Podman would forget it while {which} still runs: "
            f"on the box: kill -9 {process or 'that process'}, then sweep again"
        )

    def _interpret(self, error: HostError, decision: Decision, inspected: Container) -> Removal | None:
        """Return the outcome of a refused request. ``inspected`` is the container's state just before it."""
        planned = decision.container
        http_status = error.http_status if isinstance(error, EngineError) else None
        if http_status == 404:
            return Removal(planned.id, Outcome.GONE)
        if http_status == 409 and "already in progress" in error.message:
            return None
        try:
            look = self._inspect(decision)
        except HostError:
            return Removal(planned.id, Outcome.FAILED, error.message)
        if isinstance(look, Removal):
            return look
        current = look.container
        killed = "killed, not removed: " if _runs(inspected) and not _runs(current) else ""
        # Podman's words where another container shares its namespaces or its pod.
        remedy = "; remove those first" if "dependent containers" in error.message else ""
        remedy = f"; {error.remedy}" if error.remedy else remedy
        return Removal(planned.id, Outcome.FAILED, killed + error.message + remedy)


def _not_removed(planned: Container, why: str) -> Removal:
    return Removal(planned.id, Outcome.FAILED, f"not removed: {why}")


def what_changed(decision: Decision, current: Container, rule: Rule) -> str | None:
    """Return how ``current`` differs from the container that was planned; None if the plan still holds.

    It is judged at the time of the plan, so that waiting makes nothing eligible. The start time counts only where the
    verdict rests on it: a container in a restart loop is as old as before by its creation.
    """
    planned = decision.container
    if decision.reason is not Reason.STALE and _restarted(planned, current):
        current = replace(current, started_ns=planned.started_ns)
    for what, then, now in (
        ("id", planned.id, current.id),
        ("creation time", planned.created_ns, current.created_ns),
        ("start time", planned.started_ns, current.started_ns),
        ("name", planned.name, current.name),
        ("image", planned.image, current.image),
        ("labels", decision.labels_digest, labels_digest(current)),
    ):
        if then != now:
            return f"its {what} changed after the plan was made"
    again = decide(current, rule.policy, rule.now_ns)
    return None if again.verdict is Verdict.REMOVE else f"it is {again.reason} now"


def _restarted(planned: Container, current: Container) -> bool:
    """Whether it was started again since the plan. An unreadable start time is no restart."""
    started_ns = current.started_ns
    return started_ns is not None and started_ns >= max(EARLIEST_NS, planned.started_ns or planned.created_ns)


def _runs(container: Container) -> bool:
    """Whether removing it takes ``force``. A stopped one goes without: the engine refuses if it was just started."""
    return container.state in states.STARTED


def verify(
    unproven: Sequence[Removal],
    listed: Sequence[Container] | None,
    ledger: Ledger,
    *,
    doubt: str = "the final list could not be read",
) -> None:
    """Check removals against the engine's final list and record their outcomes: only absent containers were removed.

    ``listed`` is None if no list proves anything, for the reason ``doubt``: then every outcome is unknown.
    """
    present = {container.id for container in listed or ()}
    for removal in unproven:
        if listed is None:
            proven = replace(removal, outcome=Outcome.UNKNOWN, error=doubt)
        elif removal.container_id in present:
            proven = replace(removal, outcome=Outcome.FAILED, error="the engine still lists it")
        else:
            proven = removal
        ledger.conclude(proven)
