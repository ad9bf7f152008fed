"""An engine in memory that misbehaves, a journal that may break, and a clock that runs out: no I/O, no waiting.

Events are scripted for each container separately, so they do not depend on the order of the removal threads.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from hypothesis import strategies as st

from fleetsweep.engine.decode import merge, parse_inspect, parse_list
from fleetsweep.errors import EngineError, FaultKind, FleetsweepError, HostError, LostAnswer, Phase
from fleetsweep.model.container import Container, Target
from fleetsweep.model.evidence import Evidence
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.policy.rules import Policy, needs_inspection
from fleetsweep.sweep.remove_containers import Pace
from tests.generators.strategies import HOUR_S, KEEP, NOW, Damage, Truth, with_label

QUICK = Pace(look_s=0.1, answer_s=0.1, slow_s=0.2, check_s=0.05, progress_s=0.002, poll_s=1e-4)
"""Too short to wait for: a response that hangs is overdue at once."""

NEWCOMERS = 10**9
"""Ids from here on belong to containers that were created after the plan."""


class Change(Enum):
    """What others do to a container between the plan and its end."""

    RESTARTED = auto()
    RENAMED = auto()
    RELABELLED = auto()
    PROTECTED = auto()
    RETAGGED = auto()
    GARBLED = auto()
    UNINSPECTABLE = auto()
    INSPECT_HANGS = auto()
    REMOVED = auto()
    REPLACED = auto()
    STOPPED = auto()


MAKES_ANOTHER_CASE = frozenset(
    {
        Change.RESTARTED,
        Change.RENAMED,
        Change.RELABELLED,
        Change.PROTECTED,
        Change.RETAGGED,
        Change.GARBLED,
    }
)
"""After these a container is not the one that was planned."""


class Reply(Enum):
    """How the engine responds to a removal."""

    DONE = auto()
    STAYS = auto()
    CLAIMS_GONE = auto()
    BEING_REMOVED = auto()
    BEING_REMOVED_FOR_EVER = auto()
    REFUSED = auto()
    KILLED_ONLY = auto()
    LOST_BUT_DONE = auto()
    LOST = auto()
    GARBLED_BUT_DONE = auto()
    NEVER_SENT = auto()
    HANGS = auto()
    HANGS_BUT_DONE = auto()


@dataclass(frozen=True, slots=True)
class Twist:
    """What happens to one container: before its second inspection, between that and the request, and in response."""

    before_look: Change | None = None
    before_request: Change | None = None
    reply: Reply = Reply.DONE


PLAIN = Twist()
# One draw each: a fleet has many containers.
TWISTS = st.one_of(
    st.just(PLAIN),
    st.sampled_from([Twist(change) for change in Change] + [Twist(None, change) for change in Change]),
    st.sampled_from([Twist(None, change, reply) for change in (None, Change.STOPPED) for reply in Reply]),
)


@dataclass(slots=True)
class Trace:
    """The events in order. Threads share it."""

    events: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def note(self, what: str, container_id: str) -> None:
        with self.lock:
            self.events.append((what, container_id))

    def ids(self, what: str) -> list[str]:
        """The containers that ``what`` was done to, in order."""
        return [container_id for event, container_id in self.events if event == what]


class SignalHandler:
    """Requests a stop once so many removals were requested."""

    def __init__(self, after: int | None) -> None:
        self.stopped = threading.Event()
        self.after = after
        if after == 0:
            self.stopped.set()

    def count(self, sent: int) -> None:
        if self.after is not None and sent >= self.after:
            self.stopped.set()


class MemoryEngine:
    """Holds containers and describes them as a real engine does, in raw JSON that the real parser reads."""

    def __init__(
        self,
        box: Iterable[Truth],
        twists: Mapping[str, Twist] | None = None,
        trace: Trace | None = None,
        stopper: SignalHandler | None = None,
    ) -> None:
        self.present = {truth.id: truth for truth in box}
        self.trace = trace or Trace()
        self.looked_at: dict[str, Container | None] = {}
        self.list_gets_lost = False
        self._twists = dict(twists or {})
        self._stopper = stopper or SignalHandler(None)
        self._garbled: dict[str, Damage] = {}
        self._uninspectable: set[str] = set()
        self._hanging: set[str] = set()
        self._polls: dict[str, int] = {}

    def survey(self, policy: Policy) -> tuple[Container, ...]:
        """Return the containers as a survey finds them, unchanged."""
        found = []
        for listed in self.list():
            if not needs_inspection(listed, policy, NOW):
                found.append(listed)
            else:
                found.append(merge(listed, parse_inspect(self.present[listed.id].inspected(), listed.id)))
        return tuple(replace(each, lives_on=self.present[each.id].lives_on) for each in found)

    def list(self) -> list[Container]:
        """Return its list, or raise if ``list_gets_lost`` and a removal has started."""
        if self.list_gets_lost and self.trace.events:
            raise LostAnswer(
                Phase.ENGINE, FaultKind.LOST, "the connection ended before the container list was complete"
            )
        return parse_list([truth.listed() for truth in self.present.values()])

    forgets_what_is_stopping = False

    def process_of(self, container_id: str, /, *, within: float | None = None) -> int | None:
        raise AssertionError("nothing is being stopped")

    def inspect(self, container_id: str, /, *, within: float | None = None) -> Container | None:
        with self.trace.lock:
            self.trace.note("inspect", container_id)
            twist = self._twists.get(container_id, PLAIN)
            first = container_id not in self.looked_at
            if first:
                self._happen(container_id, twist.before_look)
            found = self._answer(container_id)
            if first:
                self.looked_at[container_id] = found
                self._happen(container_id, twist.before_request)
            return found

    def _answer(self, container_id: str) -> Container | None:
        if self._polls.get(container_id, 0) > 0:
            self._polls[container_id] -= 1
            if self._polls[container_id] == 0:
                self.present.pop(container_id, None)
        if container_id in self._uninspectable:
            self.looked_at.setdefault(container_id, None)
            raise EngineError(FaultKind.REFUSED, "HTTP 500: storage driver failed", http_status=500)
        if container_id in self._hanging:
            self.looked_at.setdefault(container_id, None)
            raise _overdue("an inspect response")
        truth = self.present.get(container_id)
        if truth is None:
            return None
        answer = truth.inspected()
        if container_id in self._garbled:
            answer = self._garbled[container_id].apply(answer)
        return parse_inspect(answer, container_id)

    def remove(self, container_id: str, /, *, force: bool, volumes: bool, within: float | None = None) -> None:
        assert within is not None, "a response without a time limit may delay all others"
        assert not volumes, "volumes were not requested"
        with self.trace.lock:
            self.trace.note("DELETE", container_id)
            self._stopper.count(len(self.trace.ids("DELETE")))
            truth = self.present.get(container_id)
            if truth is None:
                raise EngineError(FaultKind.REFUSED, "HTTP 404: No such container", http_status=404)
            if truth.state in {"running", "paused", "restarting"} and not force:
                raise EngineError(FaultKind.REFUSED, "HTTP 409: You cannot remove a running container", http_status=409)
            self._reply(truth, self._twists.get(container_id, PLAIN).reply)

    def _reply(self, truth: Truth, reply: Reply) -> None:
        if reply in {Reply.DONE, Reply.LOST_BUT_DONE, Reply.GARBLED_BUT_DONE, Reply.HANGS_BUT_DONE}:
            del self.present[truth.id]
        if reply in {Reply.HANGS, Reply.HANGS_BUT_DONE}:
            raise _overdue("the response to a removal")
        if reply in {Reply.LOST, Reply.LOST_BUT_DONE}:
            raise LostAnswer(
                Phase.ENGINE, FaultKind.LOST, "the connection ended before the response to a removal was complete"
            )
        if reply is Reply.GARBLED_BUT_DONE:
            raise EngineError(FaultKind.TOO_LARGE, "a response is larger than 64 MiB")
        if reply is Reply.NEVER_SENT:
            raise HostError(Phase.TUNNEL, FaultKind.REFUSED, "the server refused to open a channel to the socket")
        if reply is Reply.CLAIMS_GONE:
            raise EngineError(FaultKind.REFUSED, "HTTP 404: No such container", http_status=404)
        if reply is Reply.KILLED_ONLY:
            self.present[truth.id] = replace(truth, state="dead")
        if reply in {Reply.REFUSED, Reply.KILLED_ONLY}:
            raise EngineError(FaultKind.REFUSED, "HTTP 500: device or resource busy", http_status=500)
        if reply in {Reply.BEING_REMOVED, Reply.BEING_REMOVED_FOR_EVER}:
            self._polls[truth.id] = 2 if reply is Reply.BEING_REMOVED else 0
            raise EngineError(FaultKind.REFUSED, "HTTP 409: removal of it is already in progress", http_status=409)

    def _happen(self, container_id: str, change: Change | None) -> None:
        truth = self.present.get(container_id)
        if truth is None or change is None:
            return
        if change in {Change.REMOVED, Change.REPLACED}:
            del self.present[container_id]
        if change is Change.REPLACED:
            self._add(replace(truth, id=f"{NEWCOMERS + int(container_id, 16):064x}", created_age=0, started_age=0))
        elif change is Change.UNINSPECTABLE:
            self._uninspectable.add(container_id)
        elif change is Change.INSPECT_HANGS:
            self._hanging.add(container_id)
        elif change is Change.GARBLED:
            self._garbled[container_id] = Damage(True, ("Config", "Labels"), None)
        elif change is not Change.REMOVED:
            self._add(_changed(truth, change))

    def _add(self, truth: Truth) -> None:
        self.present[truth.id] = truth


def _overdue(what: str) -> LostAnswer:
    return LostAnswer(Phase.ENGINE, FaultKind.TIMEOUT, f"{what} did not arrive within 0 s")


def _changed(truth: Truth, change: Change) -> Truth:
    match change:
        case Change.RESTARTED:
            return replace(truth, state="running", started_age=-HOUR_S)
        case Change.RENAMED:
            return replace(truth, name=f"{truth.name}-old")
        case Change.RELABELLED:
            return with_label(truth, "note", "mine")
        case Change.PROTECTED:
            return with_label(truth, KEEP, "yes")
        case Change.RETAGGED:
            return replace(truth, image="postgres:16")
        case Change.STOPPED:
            return replace(truth, state="exited") if truth.state in {"running", "paused"} else truth
        case _:
            raise AssertionError(change)


class Log:
    """An intent log on a disk that is full after so many writes. Every intent gets one outcome at most."""

    def __init__(self, trace: Trace | None = None, writes: int | None = None) -> None:
        self.trace = trace or Trace()
        self.left = writes
        self.intents: list[str] = []
        self.evidence: dict[int, Evidence] = {}
        self.outcomes: dict[int, Outcome] = {}

    def _write(self) -> None:
        if self.left == 0:
            raise FleetsweepError("disk full")
        if self.left is not None:
            self.left -= 1

    def intend(self, target: Target, /) -> int:
        with self.trace.lock:
            self._write()
            self.trace.note("intent", target.id)
            self.intents.append(target.id)
            return len(self.intents) - 1

    def conclude(self, intent: int, removal: Removal, /) -> None:
        with self.trace.lock:
            self._write()
            assert intent not in self.outcomes
            assert self.intents[intent] == removal.container_id
            self.outcomes[intent] = removal.outcome

    def keep(self, intent: int, evidence: Evidence, /) -> None:
        with self.trace.lock:
            self._write()
            assert intent not in self.outcomes
            self.evidence[intent] = evidence

    def flush(self) -> None:
        """Every outcome was durable when ``conclude`` returned."""


class Ticks:
    """A deadline that expires after so many calls, without waiting.

    Without ``left`` each thread has 60 calls of its own, so that one that polls does not use up the others' time.
    """

    def __init__(self, left: int | None = None) -> None:
        self._left = left
        self._asked: dict[int, int] = {}
        self._lock = threading.Lock()

    def remaining(self) -> float:
        """Return a time that is too short to wait for; it reaches 0 in any case."""
        with self._lock:
            if self._left is not None:
                self._left -= 1
                return 1e-6 * max(0, self._left)
            me = threading.get_ident()
            self._asked[me] = self._asked.get(me, 0) + 1
            return 1e-6 * max(0, 60 - self._asked[me])
