"""Removing one host's candidates: intent, second look, one request each, and proof at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Final, Protocol

from fleetsweep.errors import EngineError, FleetsweepError, HostError, LostAnswer
from fleetsweep.model import Container, Decision, Outcome, Removal, Target, Verdict
from fleetsweep.policy import Policy, decide, labels_digest

AT_ONCE: Final = 4
"""Removals at a time on one engine: beyond four nothing is gained."""

POLL_S: Final = 0.1

# A dead container may still be removed, a stopped one must not be killed if somebody just started it.
_NEEDS_FORCE: Final = frozenset({"running", "paused", "restarting"})


class Engine(Protocol):
    """What removing needs of an engine."""

    def inspect(self, container_id: str, /) -> Container | None:
        """The container as it is now; None if it is gone."""

    def remove(self, container_id: str, /, *, force: bool, volumes: bool) -> None:
        """Remove it, once."""


class Clock(Protocol):
    """What polling needs of a deadline."""

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


def remove_all(
    engine: Engine,
    candidates: Sequence[Decision],
    policy: Policy,
    now_ns: int,
    ledger: Ledger,
    *,
    volumes: bool,
    stopped: threading.Event,
    clock: Clock,
) -> list[Removal]:
    """Remove the candidates, up to four at once, and answer those that the engine says it removed or has not.

    They are not in the ledger yet: ``settle`` proves them. All other outcomes are. Raises FleetsweepError when an
    intent could not be recorded; no request follows a failed intent.
    """
    waiting: SimpleQueue[Decision] = SimpleQueue()
    for decision in candidates:
        waiting.put(decision)
    unproven: list[Removal] = []
    failures: list[Exception] = []

    def take() -> None:
        while not stopped.is_set() and not failures and clock.remaining() > 0:
            try:
                decision = waiting.get_nowait()
            except Empty:
                return
            try:
                ledger.intend(decision.container)
                removal = remove_one(engine, decision, policy, now_ns, volumes=volumes, clock=clock)
            except Exception as error:  # it is raised in the calling thread, once the others have ended
                failures.append(error)
                return
            if removal.outcome in {Outcome.REMOVED, Outcome.GONE}:
                unproven.append(removal)
            else:
                ledger.conclude(removal)

    crew = [
        threading.Thread(target=take, name="fleetsweep-removal", daemon=True)
        for _ in range(min(AT_ONCE, len(candidates)))
    ]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    for failure in failures:
        if not isinstance(failure, FleetsweepError):
            raise failure
    if failures:
        raise Unfinished(unproven, failures[0])
    return unproven


class Unfinished(FleetsweepError):
    """Removing stopped early: ``unproven`` is what the engine had said by then, the words are those of the cause."""

    def __init__(self, unproven: list[Removal], cause: Exception) -> None:
        super().__init__(str(cause))
        self.unproven = unproven


def remove_one(
    engine: Engine, decision: Decision, policy: Policy, now_ns: int, *, volumes: bool, clock: Clock
) -> Removal:
    """Look again, then remove one container by its full id. Never raises HostError: what happened is the outcome."""
    planned = decision.container

    def ended(outcome: Outcome, error: str | None = None) -> Removal:
        return Removal(planned.id, outcome, error)

    try:
        current = engine.inspect(planned.id)
    except HostError as error:
        return ended(Outcome.FAILED, f"not removed: it could not be looked at again: {error.message}")
    if current is None:
        return ended(Outcome.GONE)
    difference = what_changed(decision, current, policy, now_ns)
    if difference is not None:
        return ended(Outcome.CHANGED, difference)
    force = current.state in _NEEDS_FORCE
    try:
        engine.remove(planned.id, force=force, volumes=volumes)
    except LostAnswer as error:
        return ended(Outcome.UNKNOWN, error.message)
    except HostError as error:  # also from a tunnel that would carry no new stream, so that nothing was sent
        return _refused(engine, decision, policy, now_ns, error=error, clock=clock)
    return ended(Outcome.REMOVED)


def what_changed(decision: Decision, current: Container, policy: Policy, now_ns: int) -> str | None:
    """What makes ``current`` another case than the one that was planned; None if nothing does.

    It is judged by the plan's own clock, so that nothing becomes eligible by waiting.
    """
    planned = decision.container
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
    again = decide(current, policy, now_ns)
    return None if again.verdict is Verdict.REMOVE else f"it is {again.reason} now"


def _refused(
    engine: Engine, decision: Decision, policy: Policy, now_ns: int, *, error: HostError, clock: Clock
) -> Removal:
    """What a refused removal comes to."""
    planned = decision.container
    http_status = error.http_status if isinstance(error, EngineError) else None
    if http_status == 404:
        return Removal(planned.id, Outcome.GONE)
    if http_status == 409 and "already in progress" in error.message:
        return _await_other_removal(engine, planned, clock)
    try:
        current = engine.inspect(planned.id)
    except HostError:
        return Removal(planned.id, Outcome.FAILED, error.message)
    if current is None:
        return Removal(planned.id, Outcome.GONE)
    difference = what_changed(decision, current, policy, now_ns)
    if difference is not None:
        return Removal(planned.id, Outcome.CHANGED, difference)
    killed = (
        "killed, not removed: " if current.state == "dead" or _was_running(planned) != _was_running(current) else ""
    )
    return Removal(planned.id, Outcome.FAILED, killed + error.message)


def _was_running(container: Container) -> bool:
    return container.state in _NEEDS_FORCE


def _await_other_removal(engine: Engine, planned: Container, clock: Clock) -> Removal:
    while clock.remaining() > 0:
        try:
            if engine.inspect(planned.id) is None:
                return Removal(planned.id, Outcome.GONE)
        except HostError as error:
            return Removal(planned.id, Outcome.UNKNOWN, error.message)
        time.sleep(min(POLL_S, clock.remaining()))
    return Removal(planned.id, Outcome.UNKNOWN, "another removal of it was still in progress at the deadline")


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
