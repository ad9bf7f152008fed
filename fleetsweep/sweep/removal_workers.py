"""The worker pool of one host's removals: several in parallel, dependents first, and a hung one delays no other."""

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
from fleetsweep.sweep.ledger import Ledger
from fleetsweep.sweep.remove_containers import ABSENT, ContainerRemover

log = logging.getLogger(__name__)

GRACE_S = 0.5
"""Seconds that a removal gets after the deadline to notice that its response is overdue."""


@dataclass(frozen=True, slots=True)
class Work:
    """The candidates of one host.

    ``in_use`` maps the id of a candidate to the reason why it must stay: other containers have come to depend on it.
    ``dependents`` maps the id of a candidate to the other candidates that depend on it.
    """

    candidates: Sequence[Decision]
    in_use: Mapping[str, str] = field(default_factory=dict)
    dependents: Mapping[str, Sequence[Container]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PoolResult:
    """The removals whose outcome is not in the ledger yet, because ``verify`` must check them against a final list.

    ``doubt`` marks that a response was lost or refused, so that an open stream may still carry it. ``error`` is why the
    pool stopped early: the journal, or a bug.
    """

    unproven: tuple[Removal, ...]
    doubt: bool
    error: Exception | None


def dependents_among(candidates: Sequence[Decision], listed: Sequence[Container] = ()) -> dict[str, list[Container]]:
    """Return the candidates that depend on another one, by that one's id, as the plan or a later list has it."""
    owners: dict[str, set[str]] = {}
    for container in (*(decision.container for decision in candidates), *listed):
        owners.setdefault(container.id, set()).update(container.lives_on)
    known = {decision.container.id for decision in candidates}
    found: dict[str, list[Container]] = {}
    for decision in candidates:
        for owner in sorted((owners[decision.container.id] & known) - {decision.container.id}):
            found.setdefault(owner, []).append(decision.container)
    return found


def remove_all(remover: ContainerRemover, work: Work, ledger: Ledger, *, stopped: threading.Event) -> PoolResult:
    """Remove the candidates. Every outcome is in the ledger, except those that are yet to be verified.

    A removal that has no response by the end of the remover's clock is left without an outcome.
    """
    return _RemovalPool(remover, work, ledger, stopped).run()


@dataclass(frozen=True, slots=True)
class _Task:
    """A candidate to remove, or to poll while another removal of it is in progress.

    ``polls_left`` is how many polls it has left; None before its first request. Polls are counted, not timed, so that
    the result does not depend on the load of the machine.
    """

    decision: Decision
    due: float = 0.0
    polls_left: int | None = None


class _RemovalPool:
    """Worker threads over one queue of tasks. A worker that waits for a response delays no other."""

    _alive = 0
    _any_started = False
    _doubt = False
    _failure: FleetsweepError | None = None
    _bug: Exception | None = None

    def __init__(self, remover: ContainerRemover, work: Work, ledger: Ledger, stopped: threading.Event) -> None:
        self._remover = remover
        self._pace = remover.pace
        self._clock = remover.clock
        self._work = work
        self._ledger = ledger
        self._stopped = stopped
        self._changed = threading.Condition()
        self._running: dict[str, float] = {}
        self._polls: list[_Task] = []
        self._outcomes: dict[str, Outcome] = {}
        self._unproven: list[Removal] = []
        self._waiting_for = {
            owner: {dependent.id for dependent in dependents} for owner, dependents in work.dependents.items()
        }
        self._ready: deque[Decision] = deque()
        self._blocked: dict[str, Decision] = {}
        for decision in work.candidates:
            if self._waiting_for.get(decision.container.id):
                self._blocked[decision.container.id] = decision
            else:
                self._ready.append(decision)

    def run(self) -> PoolResult:
        for _ in range(min(self._pace.at_once, len(self._work.candidates))):
            self._start_worker()
        overdue_since: float | None = None
        while True:
            with self._changed:
                if not self._alive:
                    break
                changed = self._changed.wait(self._pace.check_s)
                spare = self._has_room_for_worker()
            if spare:
                self._start_worker()
            if not changed and self._clock.remaining() <= 0:
                overdue_since = overdue_since or time.monotonic()
                if time.monotonic() > overdue_since + GRACE_S:
                    break
        with self._changed:
            doubt = self._doubt or self._alive > 0
            return PoolResult(tuple(self._unproven), doubt, self._bug or self._failure)

    def _has_room_for_worker(self) -> bool:
        """Whether another worker may start. Workers on a slow removal don't count towards ``at_once``."""
        since = time.monotonic() - self._pace.slow_s
        slow = sum(begun < since for begun in self._running.values())
        return bool(self._ready) and self._alive - slow < self._pace.at_once and self._alive < self._pace.most

    def _start_worker(self) -> None:
        with self._changed:
            self._alive += 1
        thread = threading.Thread(target=self._run_worker, name="fleetsweep-removal", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            with self._changed:
                self._alive -= 1
            # Where the system grants no more threads, the workers that started do all the work, or have done it.
            if not self._any_started or not out_of_room(error):
                raise
        self._any_started = True

    def _run_worker(self) -> None:
        try:
            while (task := self._next_task()) is not None:
                self._execute(task)
        finally:
            with self._changed:
                self._alive -= 1
                self._changed.notify_all()

    def _next_task(self) -> _Task | None:
        """Return the next task; None when there are no more. Waits for dependents, and for polls that are due later."""
        with self._changed:
            while True:
                now = time.monotonic()
                poll = next((poll for poll in self._polls if poll.due <= now), None)
                if poll is not None:
                    self._polls.remove(poll)
                    return self._begin(poll)
                closing = self._stopped.is_set() or self._failure is not None or self._clock.remaining() <= 0
                if not closing and self._ready:
                    return self._begin(_Task(self._ready.popleft()))
                if not self._polls and not self._running and not closing and self._blocked:
                    # They depend on each other: the attempt finds each of them in use, so none is removed.
                    return self._begin(_Task(self._blocked.pop(next(iter(self._blocked)))))
                if not self._polls and (closing or not self._blocked):
                    return None
                # A poll is due within this time. Whatever else changes is notified.
                self._changed.wait(self._pace.poll_s)

    def _begin(self, task: _Task) -> _Task:
        self._running[task.decision.container.id] = time.monotonic()
        return task

    def _execute(self, task: _Task) -> None:
        planned = task.decision.container
        removal: Removal | None = None
        intended = task.polls_left is not None
        in_progress = False
        try:
            if not intended:
                self._ledger.intend(planned)
                intended = True
            removal = self._attempt(task)
            in_progress = removal is None
            if removal is not None and removal.outcome not in ABSENT:
                self._ledger.conclude(removal)
        except FleetsweepError as error:
            self._failure = error
        except Exception as error:  # only this container loses its outcome
            log.exception("a bug while removing %s", planned.id)
            self._bug = error
            if intended:
                removal = Removal(planned.id, Outcome.UNKNOWN, f"a bug: {type(error).__name__}: {error}")
                self._ledger.conclude(removal)
        with self._changed:
            del self._running[planned.id]
            if in_progress:
                most = math.ceil(self._pace.progress_s / self._pace.poll_s)
                left = most if task.polls_left is None else task.polls_left - 1
                self._polls.append(_Task(task.decision, time.monotonic() + self._pace.poll_s, left))
            if removal is not None:
                self._finish(removal)
            self._changed.notify_all()

    def _finish(self, removal: Removal) -> None:
        self._outcomes[removal.container_id] = removal.outcome
        if removal.outcome in ABSENT:
            self._unproven.append(removal)
        elif removal.outcome is not Outcome.CHANGED:
            self._doubt = True
        for owner, awaited in self._waiting_for.items():
            awaited.discard(removal.container_id)
            if not awaited and owner in self._blocked:
                self._ready.append(self._blocked.pop(owner))

    def _attempt(self, task: _Task) -> Removal | None:
        """Carry out one task. Return None if another removal of the container is in progress."""
        planned = task.decision.container
        if task.polls_left is not None:
            removal = self._remover.poll(planned)
            if removal is None and (task.polls_left <= 1 or self._clock.remaining() <= 0):
                return Removal(planned.id, Outcome.UNKNOWN, "another removal of it was still in progress")
            return removal
        in_use = self._work.in_use.get(planned.id) or self._in_use_by(planned)
        if in_use:
            return Removal(planned.id, Outcome.CHANGED, in_use)
        return self._remover.remove(task.decision)

    def _in_use_by(self, planned: Container) -> str:
        """Return why it must stay, if a dependent is still there; else an empty string.

        The response that a dependent was removed is not proof enough: it is inspected once more.
        """
        for dependent in self._work.dependents.get(planned.id, ()):
            stays = f"it is in use by {dependent.name or dependent.id[:12]}"
            if self._outcomes.get(dependent.id) not in ABSENT:
                return stays
            try:
                if self._remover.engine.inspect(dependent.id, within=self._pace.look_s) is not None:
                    return stays
            except HostError as error:
                return f"{stays}, as far as is known: {error.message}"
        return ""
