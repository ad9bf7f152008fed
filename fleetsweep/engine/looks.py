"""Looking at many containers of one engine: whatever becomes of one look costs that container alone."""

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

PATIENCE_S: Final = 5.0
"""Seconds for one answer. An engine answers in milliseconds; for a container that hangs it never does."""

LEAST_PATIENCE_S: Final = 1.0
"""Each answer that never comes halves the wait for the next, down to this: a host has few seconds for all."""

RESERVE_S: Final = 2.0
"""Seconds of the host's time that no look may use up: for the second list, and for what comes after the looks."""

MOST_SILENT: Final = 8
"""So many looks without any answer at all: it is the engine that hangs, not the containers."""


class Engine(Protocol):
    """What looking needs of an engine."""

    def pipeline_inspects(self, container_ids: Sequence[str], /) -> None:
        """Send the requests for these, which are inspected next and in this order."""

    def inspect(self, container_id: str, *, within: float | None = None) -> Container | None:
        """The container; None if the engine has none of that id."""

    def owners(self, container_id: str, *, within: float | None) -> tuple[str, ...]:
        """Whose namespaces the container shares: ids or names; none where it is gone."""

    def listed_ids(self, within: float, /) -> Collection[str]:
        """The ids that the engine lists now."""


@dataclass(slots=True)
class Looks:
    """What was found: by container id, those that could be read, and what was said where one could not.

    ``gone`` are those that the engine does not know and does not list any more.
    """

    engine: Engine
    seconds_left: Callable[[], float]
    found: dict[str, Container] = field(default_factory=dict)
    trouble: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    judged: set[str] = field(default_factory=set)
    owners: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _patience_s: float = field(default_factory=lambda: PATIENCE_S)
    _hung: int = 0
    _silent: int = 0
    _answered: bool = False
    _cut_off: set[str] = field(default_factory=set)

    def seen(self, listed: Iterable[Container]) -> list[Container]:
        """A list's containers as they look now, without those that were judged and are gone.

        Those that were looked at besides stay as they were listed, with what they live on.
        """
        return [self._seen(each) for each in listed if each.id not in self.judged or each.id not in self.gone]

    def _seen(self, listed: Container) -> Container:
        if listed.id not in self.judged:
            return merge_owners(listed, self.owners.get(listed.id, ()))
        found = self.found.get(listed.id)
        if found is not None:
            return merge(listed, found)
        return replace(listed, trouble=listed.trouble or self.trouble.get(listed.id, ""))

    def at(self, container_ids: Sequence[str], *, besides: Sequence[str] = ()) -> None:
        """Look at these to judge them, and at those ``besides`` for what they live on: batches in one write.

        Raises HostError where the engine itself is not there.
        """
        self.judged.update(container_ids)
        waiting = deque(dict.fromkeys((*container_ids, *besides)))
        ahead = 0
        while waiting:
            if self._hung and self._answered and self.seconds_left() <= 2 * RESERVE_S:
                words = f"there was no time left to look at it: {self._hung} others did not answer"
                self.trouble.update(dict.fromkeys(waiting, words))
                break
            if not ahead:
                batch = list(islice(waiting, PIPELINE_DEPTH))
                self.engine.pipeline_inspects(batch)
                ahead = len(batch)
            container_id = waiting.popleft()
            ahead -= 1
            try:
                self._look_at(container_id)
            except LostAnswer as error:
                # Those behind it on the stream are asked again, on a new one.
                ahead = 0
                if self._is_cut_off_for_the_first_time(container_id, error):
                    waiting.appendleft(container_id)
                    continue
                self._give_up(container_id, error)
            except EngineError as error:
                self.trouble[container_id] = error.message
                self._silent, self._answered = 0, True
        self._ask_again(container_ids)

    def _look_at(self, container_id: str) -> None:
        left = self.seconds_left() - RESERVE_S
        # With no time left for one hung answer, the host's own deadline ends this.
        within = min(self._patience_s, left) if left > 0 else None
        if container_id not in self.judged:
            self.owners[container_id] = self.engine.owners(container_id, within=within)
        else:
            found = self.engine.inspect(container_id, within=within)
            if found is None:
                self.gone.add(container_id)
            else:
                self.found[container_id] = found
        self._silent, self._answered = 0, True

    def _is_cut_off_for_the_first_time(self, container_id: str, error: LostAnswer) -> bool:
        """Whether a stream that ended in place of an answer may have ended for reasons of its own."""
        first = container_id not in self._cut_off
        self._cut_off.add(container_id)
        return first and not isinstance(error.__cause__, TimeoutError)

    def _give_up(self, container_id: str, error: LostAnswer) -> None:
        if isinstance(error.__cause__, TimeoutError) and not isinstance(error.__cause__, Overdue):
            raise error
        self._patience_s = max(LEAST_PATIENCE_S, self._patience_s / 2)
        self._hung += 1
        self._silent += 1
        if self._silent >= MOST_SILENT and not self._answered:
            raise error
        self.trouble[container_id] = error.message

    def _ask_again(self, container_ids: Sequence[str]) -> None:
        """Hold what is gone against a second list, which also tells an engine that hangs from containers that do."""
        unknown = self.gone & set(container_ids)
        if not unknown and not (self._silent and container_ids):
            return
        listed = self.engine.listed_ids(min(PATIENCE_S, max(self.seconds_left() - RESERVE_S, 0.5)))
        for container_id in unknown & set(listed):
            self.gone.remove(container_id)
            self.trouble[container_id] = "the engine says that it has no such container, and still lists it"
