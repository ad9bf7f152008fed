"""Who of one host's candidates is removed when: some at once, dependents first, and none waits for one that hangs."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fleetsweep.errors import FleetsweepError, HostError
from fleetsweep.model.container import Container
from fleetsweep.model.decision import Decision
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.runtime.capacity import out_of_room
from fleetsweep.sweep.remove_containers import (
    AT_REST,
    Clock,
    Engine,
    Ledger,
    Pace,
    Rule,
    await_other_removal,
    remove_one,
)

log = logging.getLogger(__name__)

GRACE_S = 0.5
"""How long after its time a removal may take to notice that its answer is overdue."""


@dataclass(frozen=True, slots=True)
class Work:
    """The candidates of one host. ``in_use`` says of some, in words, who lives on them by now: these stay.

    ``dependents`` has, for each candidate that others of them live on, those others.
    """

    candidates: Sequence[Decision]
    rule: Rule
    in_use: Mapping[str, str] = field(default_factory=dict)
    dependents: Mapping[str, Sequence[Container]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the engine said it has not, or no more: not in the ledger yet, since ``settle`` must prove it.

    ``doubt``: an answer was lost or refused, so that a stream may hold what belongs to another question. ``hindered``
    is why no more was begun: the journal, or a bug.
    """

    unproven: tuple[Removal, ...]
    doubt: bool
    hindered: Exception | None


def dependents_among(candidates: Sequence[Decision], listed: Sequence[Container] = ()) -> dict[str, list[Container]]:
    """Those candidates that live on another one, by that one's id; by the plan's word or a later list's."""
    owners: dict[str, set[str]] = {}
    for container in (*(decision.container for decision in candidates), *listed):
        owners.setdefault(container.id, set()).update(container.lives_on)
    known = {decision.container.id for decision in candidates}
    found: dict[str, list[Container]] = {}
    for decision in candidates:
        for owner in sorted((owners[decision.container.id] & known) - {decision.container.id}):
            found.setdefault(owner, []).append(decision.container)
    return found


def remove_all(
    engine: Engine, work: Work, ledger: Ledger, *, stopped: threading.Event, clock: Clock, pace: Pace
) -> Asked:
    """Remove the candidates. Every outcome is in the ledger but those that are yet to be proven.

    One whose answer does not come by the end of ``clock`` is left without an outcome.
    """
    return _RemovalPool(engine, work, ledger, stopped, clock, pace).run()


@dataclass(frozen=True, slots=True)
class _Turn:
    """A candidate's turn: to be removed, or to be looked at again while another removal of it goes on.

    ``looks_left`` says how often it may be looked at still; None before it was asked to go. Looks are counted, not
    timed: on a busy machine it must not come down to who was quicker.
    """

    decision: Decision
    due: float = 0.0
    looks_left: int | None = None


class _RemovalPool:
    """Threads that take turns. What one of them waits for is no other one's concern."""

    def __init__(
        self, engine: Engine, work: Work, ledger: Ledger, stopped: threading.Event, clock: Clock, pace: Pace
    ) -> None:
        self._engine = engine
        self._work = work
        self._ledger = ledger
        self._stopped = stopped
        self._clock = clock
        self._pace = pace
        self._changed = threading.Condition()
        self._started = 0
        self._alive = 0
        self._under_way: dict[str, float] = {}
        self._polls: list[_Turn] = []
        self._outcomes: dict[str, Outcome] = {}
        self._unproven: list[Removal] = []
        self._doubt = False
        self._failure: FleetsweepError | None = None
        self._bug: Exception | None = None
        self._awaits = {
            owner: {dependent.id for dependent in dependents} for owner, dependents in work.dependents.items()
        }
        self._ready: deque[Decision] = deque()
        self._blocked: dict[str, Decision] = {}
        for decision in work.candidates:
            if self._awaits.get(decision.container.id):
                self._blocked[decision.container.id] = decision
            else:
                self._ready.append(decision)

    def run(self) -> Asked:
        for _ in range(min(self._pace.at_once, len(self._work.candidates))):
            self._start_worker()
        overdue_since: float | None = None
        while True:
            with self._changed:
                if not self._alive:
                    break
                news = self._changed.wait(self._pace.slow_s / 4)
                spare = self._may_start_one_more()
            if spare:
                self._start_worker()
            if not news and self._clock.remaining() <= 0:
                overdue_since = overdue_since or time.monotonic()
                if time.monotonic() > overdue_since + GRACE_S:
                    break
        with self._changed:
            doubt = self._doubt or self._alive > 0
            return Asked(tuple(self._unproven), doubt, self._bug or self._failure)

    def _may_start_one_more(self) -> bool:
        """Whether one more may begin: those that have been under way for long don't count."""
        since = time.monotonic() - self._pace.slow_s
        slow = sum(begun < since for begun in self._under_way.values())
        return bool(self._ready) and self._alive - slow < self._pace.at_once and self._alive < self._pace.most

    def _start_worker(self) -> None:
        with self._changed:
            self._started += 1
            self._alive += 1
        thread = threading.Thread(target=self._take_turns, name="fleetsweep-removal", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            with self._changed:
                self._alive -= 1
                # Where no more threads are to be had, those that there are go on.
                if not self._alive or not out_of_room(error):
                    raise

    def _take_turns(self) -> None:
        try:
            while (turn := self._next_turn()) is not None:
                self._act(turn)
        finally:
            with self._changed:
                self._alive -= 1
                self._changed.notify_all()

    def _next_turn(self) -> _Turn | None:
        """The next turn; None when there is no more. Waits where it depends on others or is not due yet."""
        with self._changed:
            while True:
                now = time.monotonic()
                poll = next((poll for poll in self._polls if poll.due <= now), None)
                if poll is not None:
                    self._polls.remove(poll)
                    return self._begin(poll)
                closing = self._stopped.is_set() or self._failure is not None or self._clock.remaining() <= 0
                if not closing and self._ready:
                    return self._begin(_Turn(self._ready.popleft()))
                if not self._polls and not self._under_way and not closing and self._blocked:
                    # They live on each other, says the engine: neither is touched.
                    return self._begin(_Turn(self._blocked.pop(next(iter(self._blocked)))))
                if not self._polls and (closing or not self._blocked):
                    return None
                next_due = min((poll.due for poll in self._polls), default=now + self._pace.poll_s)
                self._changed.wait(max(0.001, min(next_due - now, self._pace.poll_s)))

    def _begin(self, turn: _Turn) -> _Turn:
        self._under_way[turn.decision.container.id] = time.monotonic()
        return turn

    def _act(self, turn: _Turn) -> None:
        planned = turn.decision.container
        removal: Removal | None = None
        intended = turn.looks_left is not None
        goes_on = False
        try:
            if not intended:
                self._ledger.intend(planned)
                intended = True
            removal = self._removal_of(turn)
            goes_on = removal is None
            if removal is not None and removal.outcome not in AT_REST:
                self._ledger.conclude(removal)
        except FleetsweepError as error:
            self._failure = error
        except Exception as error:  # it costs this container its outcome, and no other one's
            log.exception("a bug while removing %s", planned.id)
            self._bug = error
            if intended:
                removal = Removal(planned.id, Outcome.UNKNOWN, f"a bug: {type(error).__name__}: {error}")
                self._ledger.conclude(removal)
        with self._changed:
            del self._under_way[planned.id]
            if goes_on:
                most = math.ceil(self._pace.progress_s / self._pace.poll_s)
                left = most if turn.looks_left is None else turn.looks_left - 1
                self._polls.append(_Turn(turn.decision, time.monotonic() + self._pace.poll_s, left))
            if removal is not None:
                self._end(removal)
            self._changed.notify_all()

    def _end(self, removal: Removal) -> None:
        self._outcomes[removal.container_id] = removal.outcome
        if removal.outcome in AT_REST:
            self._unproven.append(removal)
        elif removal.outcome is not Outcome.CHANGED:
            self._doubt = True
        for owner, awaited in self._awaits.items():
            awaited.discard(removal.container_id)
            if not awaited and owner in self._blocked:
                self._ready.append(self._blocked.pop(owner))

    def _removal_of(self, turn: _Turn) -> Removal | None:
        """What one turn comes to; None if another removal goes on."""
        planned = turn.decision.container
        if turn.looks_left is not None:
            removal = await_other_removal(self._engine, planned, pace=self._pace)
            if removal is None and (turn.looks_left <= 1 or self._clock.remaining() <= 0):
                return Removal(planned.id, Outcome.UNKNOWN, "another removal of it was still in progress")
            return removal
        in_use = self._work.in_use.get(planned.id) or self._who_stays(planned)
        if in_use:
            return Removal(planned.id, Outcome.CHANGED, in_use)
        return remove_one(self._engine, turn.decision, self._work.rule, pace=self._pace, clock=self._clock)

    def _who_stays(self, planned: Container) -> str:
        """Who still lives on it, in words: the engine's word that a dependent is removed is not enough."""
        for dependent in self._work.dependents.get(planned.id, ()):
            stays = f"it is in use by {dependent.name or dependent.id[:12]}"
            if self._outcomes.get(dependent.id) not in AT_REST:
                return stays
            try:
                if self._engine.inspect(dependent.id, within=self._pace.look_s) is not None:
                    return stays
            except HostError as error:
                return f"{stays}, as far as is known: {error.message}"
        return ""
