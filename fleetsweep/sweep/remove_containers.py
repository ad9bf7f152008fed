"""Removing one candidate: a second look, one request, and what its answer comes to; and the proof at the end.

Who is removed when is ``crew``'s.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from fleetsweep.errors import EngineError, FleetsweepError, HostError, LostAnswer
from fleetsweep.model import states
from fleetsweep.model.container import Container, Target
from fleetsweep.model.decision import Decision, Reason, Verdict
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.policy.rules import EARLIEST_NS, Policy, decide, labels_digest

AT_REST: Final = frozenset({Outcome.REMOVED, Outcome.GONE})
"""The outcomes of what is not there any more."""

STOP_S: Final = 10
"""Seconds that Podman gives a container to end by itself, unless it was made with another stop time-out."""


@dataclass(frozen=True)
class Pace:
    """How many removals go on at once on one engine, and how long each step of one may take, in seconds.

    One that has been under way for ``slow_s`` holds up no other: the next one begins beside it, up to ``most`` in all.
    Docker itself gives up on a kill after 12 s. Beyond four at once nothing is gained where the engine works all the
    time.
    """

    at_once: int = 4
    most: int = 32
    look_s: float = 5.0
    answer_s: float = 13.0
    slow_s: float = 2.0
    progress_s: float = 5.0
    poll_s: float = 0.1


def pace_for(candidates: Sequence[Decision], seconds: float, *, waits: bool) -> Pace:
    """The pace of one engine. ``waits``: it gives each running container its stop time-out, which is sleep, not work.

    Then so many go at once as leave half of the ``seconds`` unused.
    """
    running = sum(decision.container.state in states.STARTED for decision in candidates)
    if not waits or not running:
        return Pace()
    rounds = max(1, int(seconds / 2 / STOP_S))
    at_once = max(Pace.at_once, math.ceil(running / rounds))
    return Pace(at_once=at_once, most=at_once + Pace.most, answer_s=3.0 * STOP_S, slow_s=1.5 * STOP_S)


class Engine(Protocol):
    """What removing needs of an engine."""

    @property
    def forgets_what_is_stopping(self) -> bool:
        """Whether a removal of what is being stopped leaves its process behind."""

    def inspect(self, container_id: str, /, *, within: float | None = None) -> Container | None:
        """The container as it is now; None if it is gone."""

    def process_of(self, container_id: str, /, *, within: float | None = None) -> int | None:
        """The number of its first process on the box; None if the engine tells none."""

    def remove(self, container_id: str, /, *, force: bool, volumes: bool, within: float | None = None) -> None:
        """Remove it, once."""


class Clock(Protocol):
    """What removing needs of a deadline."""

    def remaining(self) -> float:
        """Seconds left."""


class IntentLog(Protocol):
    """Where an intent is made durable before its request is sent, and its outcome told after."""

    def intend(self, target: Target, /) -> int:
        """Record that it is about to be removed. Raises FleetsweepError: then nothing is sent."""

    def conclude(self, intent: int, removal: Removal, /) -> None:
        """Record the intent's one outcome, or queue it to be recorded."""

    def flush(self) -> None:
        """Wait until all outcomes are durable. Raises FleetsweepError if one of them won't be."""


class Ledger:
    """The fate of one host's intents. It outlives a host that is given up at its deadline: what has no outcome by
    then is ``unknown``.
    """

    def __init__(self, journal: IntentLog) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._intents: dict[str, int] = {}
        self._outcomes: dict[str, Removal] = {}
        self._closed = False
        self.trouble: FleetsweepError | None = None

    @property
    def begun(self) -> bool:
        """Whether any intent was made: then the host must not be begun again."""
        with self._lock:
            return bool(self._intents)

    def intend(self, target: Target) -> None:
        """Make the intent durable, or raise FleetsweepError: also when the host was given up meanwhile."""
        with self._lock:
            if self._closed:
                raise FleetsweepError("the host was given up")
            if self.trouble is not None:
                raise self.trouble
        intent = self._journal.intend(target)
        with self._lock:
            if self._closed:
                # Given up while the disk was slow: the intent stays open, and the next run settles it.
                raise FleetsweepError("the host was given up")
            self._intents[target.id] = intent

    def conclude(self, removal: Removal) -> None:
        """Set an intent's outcome; the first one stands. ``trouble`` keeps what hindered writing it down."""
        with self._lock:
            if self._closed or removal.container_id in self._outcomes:
                return
            self._outcomes[removal.container_id] = removal
            intent = self._intents[removal.container_id]
        try:
            self._journal.conclude(intent, removal)
        except FleetsweepError as error:
            # The outcome stands in the report all the same; nothing new may begin.
            self.trouble = error

    def close(self) -> tuple[Removal, ...]:
        """The outcome of every intent, in the order they were made. ``trouble`` tells if they are not all on disk."""
        with self._lock:
            open_ones = [container_id for container_id in self._intents if container_id not in self._outcomes]
        for container_id in open_ones:
            self.conclude(Removal(container_id, Outcome.UNKNOWN, "no outcome by the deadline"))
        try:
            self._journal.flush()
        except FleetsweepError as error:
            self.trouble = self.trouble or error
        with self._lock:
            self._closed = True
            return tuple(self._outcomes[container_id] for container_id in self._intents)


@dataclass(frozen=True, slots=True)
class Rule:
    """What the candidates of one host are held against before each request: the policy, and the plan's own clock."""

    policy: Policy
    now_ns: int
    volumes: bool = False


def remove_one(engine: Engine, decision: Decision, rule: Rule, *, pace: Pace, clock: Clock) -> Removal | None:
    """Look again, then remove one container by its full id; None if another removal of it is in progress.

    Never raises HostError: what happened is the outcome.
    """
    current = _look_again(engine, decision, rule, pace=pace, clock=clock)
    if isinstance(current, Removal):
        return current
    try:
        engine.remove(current.id, force=_runs(current), volumes=rule.volumes, within=pace.answer_s)
    except LostAnswer as error:
        return Removal(current.id, Outcome.UNKNOWN, error.message)
    except HostError as error:  # also from a tunnel that would carry no new stream, so that nothing was sent
        return _refused(engine, decision, current, rule, error=error, pace=pace)
    return Removal(current.id, Outcome.REMOVED)


def _look_again(engine: Engine, decision: Decision, rule: Rule, *, pace: Pace, clock: Clock) -> Container | Removal:
    """The container as it is now, if it may be removed; else what becomes of it without any request."""
    planned = decision.container
    try:
        current = engine.inspect(planned.id, within=pace.look_s)
    except HostError as error:
        return _left_alone(planned, f"it could not be looked at again: {error.message}")
    if current is None:
        return Removal(planned.id, Outcome.GONE)
    difference = what_changed(decision, current, rule)
    if difference is not None:
        return Removal(planned.id, Outcome.CHANGED, difference)
    if current.state == "stopping" and engine.forgets_what_is_stopping:
        return _left_alone(planned, _still_runs(engine, current, pace))
    if clock.remaining() <= 0:
        return _left_alone(planned, "the host's time was over")
    return current


def _left_alone(planned: Container, why: str) -> Removal:
    return Removal(planned.id, Outcome.FAILED, f"not removed: {why}")


def _still_runs(engine: Engine, current: Container, pace: Pace) -> str:
    """Podman 4.3 was seen to answer 204 and forget the container: its process ran on where nobody could see it."""
    try:
        process = engine.process_of(current.id, within=pace.look_s)
    except HostError:
        process = None
    told = f"its process {process}" if process else "its process"
    return (
        f"it is being stopped, and this Podman would forget it while {told} still runs: "
        f"on the box: kill -9 {process or 'that process'}, then sweep again"
    )


def what_changed(decision: Decision, current: Container, rule: Rule) -> str | None:
    """What makes ``current`` another case than the one that was planned; None if nothing does.

    It is judged by the plan's own clock, so that nothing becomes eligible by waiting. The start counts where the
    verdict rests on it: what restarts again and again is as old as before by its creation.
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
    """Whether it was started anew since: a start that can't be read is none."""
    started_ns = current.started_ns
    return started_ns is not None and started_ns >= max(EARLIEST_NS, planned.started_ns or planned.created_ns)


def _refused(
    engine: Engine, decision: Decision, looked: Container, rule: Rule, *, error: HostError, pace: Pace
) -> Removal | None:
    """What a refused removal comes to. ``looked`` is the container as it was just before the request."""
    planned = decision.container
    http_status = error.http_status if isinstance(error, EngineError) else None
    if http_status == 404:
        return Removal(planned.id, Outcome.GONE)
    if http_status == 409 and "already in progress" in error.message:
        return None
    try:
        current = engine.inspect(planned.id, within=pace.look_s)
    except HostError:
        return Removal(planned.id, Outcome.FAILED, error.message)
    if current is None:
        return Removal(planned.id, Outcome.GONE)
    difference = what_changed(decision, current, rule)
    if difference is not None:
        return Removal(planned.id, Outcome.CHANGED, difference)
    killed = "killed, not removed: " if _runs(looked) and not _runs(current) else ""
    # Podman's words where another container shares its namespaces, or its pod.
    remedy = "; remove those first" if "dependent containers" in error.message else ""
    return Removal(planned.id, Outcome.FAILED, killed + error.message + remedy)


def _runs(container: Container) -> bool:
    """Whether it must be killed to be removed. What is stopped must not be, if somebody just started it."""
    return container.state in states.STARTED


def await_other_removal(engine: Engine, planned: Container, *, pace: Pace) -> Removal | None:
    """Look whether another removal has ended by now; None if it goes on."""
    try:
        current = engine.inspect(planned.id, within=pace.look_s)
    except HostError as error:
        return Removal(planned.id, Outcome.UNKNOWN, error.message)
    return Removal(planned.id, Outcome.GONE) if current is None else None


def settle(unproven: Sequence[Removal], listed: Sequence[Container] | None, ledger: Ledger) -> None:
    """Hold what the engine said against its own list: only what is really absent was removed.

    ``listed`` None means that the list could not be read again: then nothing is proven.
    """
    present = {container.id for container in listed or ()}
    for removal in unproven:
        if listed is None:
            proven = replace(removal, outcome=Outcome.UNKNOWN, error="the final list could not be read")
        elif removal.container_id in present:
            proven = replace(removal, outcome=Outcome.FAILED, error="the engine still lists it")
        else:
            proven = removal
        ledger.conclude(proven)
