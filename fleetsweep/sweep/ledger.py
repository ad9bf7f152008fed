"""The record of one host's removals: an intent before each request, exactly one outcome after it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from fleetsweep.errors import FleetsweepError
from fleetsweep.model.container import Target
from fleetsweep.model.outcome import Outcome, Removal

if TYPE_CHECKING:
    from fleetsweep.model.evidence import Evidence


class IntentLog(Protocol):
    """Where intents and outcomes are made durable. The journal implements it."""

    def intend(self, target: Target, /) -> int:
        """Record that the target is about to be removed and return the intent's number.

        Raises FleetsweepError: then no request may be sent.
        """

    def conclude(self, intent: int, removal: Removal, /) -> None:
        """Record the intent's one outcome, or queue it to be recorded."""

    def keep(self, intent: int, evidence: Evidence, /) -> None:
        """Queue what is kept of the container that the intent is about to remove."""

    def flush(self) -> None:
        """Wait until all outcomes and evidence are durable. Raises FleetsweepError if one of them can't be."""


class Ledger:
    """The intents and outcomes of one host.

    It outlives a host that is abandoned at its deadline: an intent without an outcome by then is ``unknown``.
    ``trouble`` is the first error of the log, after which no intent is accepted.
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
        """Whether any intent was recorded: then the host must not be started again."""
        with self._lock:
            return bool(self._intents)

    def intend(self, target: Target) -> None:
        """Make the intent durable. Raises FleetsweepError if it can't be, or if the host was abandoned meanwhile."""
        with self._lock:
            if self._closed:
                raise FleetsweepError("the host was given up")
            if self.trouble is not None:
                raise self.trouble
        intent = self._journal.intend(target)
        with self._lock:
            if self._closed:
                # Abandoned while the disk was slow: the intent stays open, and the next run reconciles it.
                raise FleetsweepError("the host was given up")
            self._intents[target.id] = intent

    def keep(self, container_id: str, evidence: Evidence, *, durable: bool) -> None:
        """Record the evidence of an intent; with ``durable``, wait until it is. Raises FleetsweepError."""
        with self._lock:
            intent = self._intents[container_id]
        self._journal.keep(intent, evidence)
        if durable:
            self._journal.flush()

    def conclude(self, removal: Removal) -> None:
        """Set the outcome of an intent; later ones are ignored. An error of the log is kept in ``trouble``."""
        with self._lock:
            if self._closed or removal.container_id in self._outcomes:
                return
            self._outcomes[removal.container_id] = removal
            intent = self._intents[removal.container_id]
        try:
            self._journal.conclude(intent, removal)
        except FleetsweepError as error:
            # The report has the outcome all the same, but nothing new may start.
            self.trouble = error

    def number(self, target_id: str) -> int:
        """Return the number of a target's intent in the log."""
        with self._lock:
            return self._intents[target_id]

    def withdraw(self, target_ids: Iterable[str], why: str) -> None:
        """Record that no request was sent for those of the targets without an outcome. They are as if never intended.

        Only for intents whose requests are sent by others, who say so.
        """
        with self._lock:
            if self._closed:
                return
            withdrawn = {
                one: self._intents.pop(one) for one in target_ids if one in self._intents and one not in self._outcomes
            }
        try:
            for one, intent in withdrawn.items():
                self._journal.conclude(intent, Removal(one, Outcome.FAILED, why))
        except FleetsweepError as error:
            self.trouble = error

    def close(self) -> tuple[Removal, ...]:
        """Return the outcome of every intent, in the order of the intents, and accept no more.

        ``trouble`` is set if they are not all durable.
        """
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
