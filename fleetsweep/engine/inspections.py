"""Inspecting many containers of one engine: a failed inspection costs that container alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final, Protocol

from fleetsweep.engine.decode import merge, merge_owners
from fleetsweep.engine.pool import PIPELINE_DEPTH, Overdue
from fleetsweep.errors import EngineError, LostAnswer
from fleetsweep.model.container import Container

RESPONSE_TIMEOUT_S: Final = 5.0
"""Seconds for one response. An engine responds within milliseconds, or never when the container hangs."""

MIN_TIMEOUT_S: Final = 1.0
"""Seconds. Each response that never arrives halves the timeout of the next, down to this: the host's time is short."""

RESERVE_S: Final = 2.0
"""Seconds of the host's time that inspections leave unused, for the second list and what follows it."""

MAX_UNANSWERED: Final = 8
"""After this many inspections in a row without any response, the engine itself hangs, not its containers."""


class Engine(Protocol):
    """The calls that inspections need from an engine client."""

    def pipeline_inspects(self, container_ids: Sequence[str], /) -> None:
        """Send the inspect requests of these containers. They must be inspected next, in this order."""

    def inspect(self, container_id: str, *, within: float | None = None) -> Container | None:
        """Return the container, or None if the engine has none with this id."""

    def owners(self, container_id: str, *, within: float | None) -> tuple[str, ...]:
        """Return the ids or names of the containers whose namespaces it shares; none if it is gone."""

    def listed_ids(self, within: float, /) -> Collection[str]:
        """Return the ids that the engine lists now."""


@dataclass(slots=True)
class Inspections:
    """The results by container id: ``found`` for containers that were read, ``trouble`` for why one was not.

    ``gone`` are containers that the engine neither knows nor lists any more.
    """

    engine: Engine
    seconds_left: Callable[[], float]
    found: dict[str, Container] = field(default_factory=dict)
    trouble: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    judged: set[str] = field(default_factory=set)
    owners: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _timeout_s: float = field(default_factory=lambda: RESPONSE_TIMEOUT_S)
    _timeouts: int = 0
    _unanswered: int = 0
    _answered: bool = False
    _cut_off: set[str] = field(default_factory=set)

    def applied_to(self, listed: Iterable[Container]) -> list[Container]:
        """Return the listed containers with what the inspections found, without judged ones that are gone.

        Containers that were inspected for their owners only stay as listed, with these owners added.
        """
        return [self._applied_to(each) for each in listed if each.id not in self.judged or each.id not in self.gone]

    def _applied_to(self, listed: Container) -> Container:
        if listed.id not in self.judged:
            return merge_owners(listed, self.owners.get(listed.id, ()))
        found = self.found.get(listed.id)
        if found is not None:
            return merge(listed, found)
        return replace(listed, trouble=listed.trouble or self.trouble.get(listed.id, ""))

    def run(self, container_ids: Sequence[str], *, owners_of: Sequence[str] = ()) -> None:
        """Inspect ``container_ids`` in full and ``owners_of`` for their owners only, in pipelined batches.

        Raises HostError when the engine itself can't be reached.
        """
        self.judged.update(container_ids)
        waiting = deque(dict.fromkeys((*container_ids, *owners_of)))
        pipelined = 0
        while waiting:
            if self._timeouts and self._answered and self.seconds_left() <= 2 * RESERVE_S:
                reason = f"no time left to inspect it: {self._timeouts} other inspections got no response"
                self.trouble.update(dict.fromkeys(waiting, reason))
                break
            if not pipelined:
                batch = list(islice(waiting, PIPELINE_DEPTH))
                self.engine.pipeline_inspects(batch)
                pipelined = len(batch)
            container_id = waiting.popleft()
            pipelined -= 1
            try:
                self._inspect(container_id)
            except LostAnswer as error:
                # The rest of the batch was lost with the stream and is requested again on a new one.
                pipelined = 0
                if self._may_retry(container_id, error):
                    waiting.appendleft(container_id)
                    continue
                self._record_loss(container_id, error)
            except EngineError as error:
                self.trouble[container_id] = error.message
                self._unanswered, self._answered = 0, True
        self._verify_against_list(container_ids)

    def _inspect(self, container_id: str) -> None:
        left = self.seconds_left() - RESERVE_S
        # When no time is left for a response that hangs, the host's own deadline ends this.
        within = min(self._timeout_s, left) if left > 0 else None
        if container_id not in self.judged:
            self.owners[container_id] = self.engine.owners(container_id, within=within)
        else:
            found = self.engine.inspect(container_id, within=within)
            if found is None:
                self.gone.add(container_id)
            else:
                self.found[container_id] = found
        self._unanswered, self._answered = 0, True

    def _may_retry(self, container_id: str, error: LostAnswer) -> bool:
        """Whether this is the container's first lost stream: it may have ended for an unrelated reason."""
        first = container_id not in self._cut_off
        self._cut_off.add(container_id)
        return first and not isinstance(error.__cause__, TimeoutError)

    def _record_loss(self, container_id: str, error: LostAnswer) -> None:
        if isinstance(error.__cause__, TimeoutError) and not isinstance(error.__cause__, Overdue):
            raise error
        self._timeout_s = max(MIN_TIMEOUT_S, self._timeout_s / 2)
        self._timeouts += 1
        self._unanswered += 1
        if self._unanswered >= MAX_UNANSWERED and not self._answered:
            raise error
        self.trouble[container_id] = error.message

    def _verify_against_list(self, container_ids: Sequence[str]) -> None:
        """Check containers that are gone against a second list.

        A list also tells a hanging engine from a hanging container: the engine that hangs returns no list.
        """
        unknown = self.gone & set(container_ids)
        if not unknown and not (self._unanswered and container_ids):
            return
        listed = self.engine.listed_ids(min(RESPONSE_TIMEOUT_S, max(self.seconds_left() - RESERVE_S, 0.5)))
        for container_id in unknown & set(listed):
            self.gone.remove(container_id)
            self.trouble[container_id] = "the engine responds that it has no such container, and still lists it"
