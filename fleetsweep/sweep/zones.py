"""The zones of a run: which workers each of them has, and the hosts that wait for one."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from fleetsweep.errors import FaultKind, Phase, UsageError
from fleetsweep.model.host import Connection, Host
from fleetsweep.model.survey import Fault, Status
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.sweep.remote import WorkerLost
from fleetsweep.sweep.workers import GRACE_S, HostFault

RESOURCE: Final = "fleetsweep-zone."
"""What a worker's Dask resource begins with: the zone's name follows."""

SLICE: Final = 16
"""The most hosts in one task: a scheduler spends 0.65 ms on each task."""

LINGER_S: Final = 0.01
"""Seconds for which a slice that is not full waits for more hosts."""

LAST_RESULT_S: Final = GRACE_S + 4.0
"""Seconds after its deadline for which a host's result is waited for. The pool has given the host up by then."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Member:
    """A worker that may be used, or the reason why it may not, of a kind that is VERSION or NO_WORKER."""

    address: str
    zones: tuple[str, ...]
    refused: str = ""
    kind: FaultKind = FaultKind.VERSION


@dataclass(slots=True)
class Waiting(Generic[T, R]):
    """A host's task, its deadline, and the future of its result."""

    task: T
    deadline: Deadline
    future: Future[R] = field(default_factory=Future)


def check_hosts(hosts: Sequence[Host]) -> None:
    """Raise UsageError for hosts that no zone's worker may be sent to."""
    for why, found in (
        ("no fleetsweep_zone: set it, or leave out --scheduler", [host for host in hosts if host.zone is None]),
        (
            "ansible_connection=local, which would be the worker's own machine",
            [host for host in hosts if host.connection is Connection.LOCAL],
        ),
        (
            "a ProxyCommand, which may hold a secret: write it into the workers' ssh_config",
            [host for host in hosts if host.proxy_command is not None],
        ),
    ):
        if found:
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            raise UsageError(f"--scheduler: {found[0].name}{more}: {why}")


class Zones:
    """The workers of each zone, as a watcher last saw them. Thread-safe."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._members: Mapping[str, Member] = {}
        self._given_up: set[str] = set()
        self.lost: Fault | None = None
        self.closed = False

    def update(self, members: Mapping[str, Member]) -> None:
        """Take over the present workers, by address."""
        with self.changed:
            self._members = members
            self.changed.notify_all()

    def lose(self, fault: Fault) -> None:
        """Note that no worker can be reached any more, for the reason given."""
        with self.changed:
            self.lost = fault
            self._members = {}
            self.changed.notify_all()

    def close(self) -> None:
        """Wake up the threads that wait for a worker."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def addresses(self, zone: str) -> list[str]:
        """Return the addresses of a zone's workers that may be used."""
        return sorted(
            member.address for member in self._members.values() if zone in member.zones and not member.refused
        )

    def give_up(self, zone: str) -> None:
        """Note that a host waited in vain for its whole time: the next ones don't wait while there is no worker."""
        self._given_up.add(zone)

    def is_given_up(self, zone: str) -> bool:
        """Whether a host of this zone waited in vain, and there is still no worker."""
        return self.lost is not None or (zone in self._given_up and not self.addresses(zone))

    def fault(self, zone: str) -> Fault:
        """Return the fault of a host whose zone has no worker."""
        if self.lost is not None:
            return self.lost
        refused = [member for member in self._members.values() if zone in member.zones and member.refused]
        if refused:
            more = f" ({len(refused) - 1} more)" if len(refused) > 1 else ""
            return Fault(
                Status.UNREACHABLE,
                Phase.ZONE,
                refused[0].kind,
                f"no worker of zone {zone} can be used: {refused[0].refused}{more}",
                "install this version there, then restart the worker"
                if refused[0].kind is FaultKind.VERSION
                else "look at its machine and its log, restart it, then sweep again",
            )
        return Fault(
            Status.UNREACHABLE,
            Phase.ZONE,
            FaultKind.NO_WORKER,
            f"zone {zone} has no worker",
            f"start one there (fleetsweep schedule dask-worker --zone {zone}), or correct fleetsweep_zone",
        )


class SliceQueue(Generic[T, R]):
    """The hosts of one zone that wait to be handed out. ``send`` gets a slice of them, in a thread of its own."""

    def __init__(self, zone: str, zones: Zones, send: Callable[[Sequence[Waiting[T, R]]], None]) -> None:
        self._zone = zone
        self._zones = zones
        self._send = send
        self._waiting: deque[Waiting[T, R]] = deque()
        self._thread = threading.Thread(target=self._hand_out, name=f"fleetsweep-zone-{zone}", daemon=True)
        self._thread.start()

    def result(self, task: T, deadline: Deadline) -> R:
        """Have a task carried out and return its result.

        Raises HostFault if no worker took it by the deadline, and WorkerLost if one did and has no result.
        """
        if self._zones.is_given_up(self._zone):
            raise HostFault(self._zones.fault(self._zone))
        waiting: Waiting[T, R] = Waiting(task, deadline)
        with self._zones.changed:
            self._waiting.append(waiting)
            self._zones.changed.notify_all()
        try:
            return waiting.future.result(deadline.remaining())
        except TimeoutError:
            if waiting.future.cancel():
                self._zones.give_up(self._zone)
                raise HostFault(self._zones.fault(self._zone)) from None
        try:
            return waiting.future.result(LAST_RESULT_S)
        except TimeoutError:
            raise WorkerLost("no result by the deadline") from None

    def _hand_out(self) -> None:
        while True:
            with self._zones.changed:
                while not self._zones.closed and not (self._waiting and self._zones.addresses(self._zone)):
                    self._zones.changed.wait()
                if self._zones.closed:
                    return
                full = len(self._waiting) >= SLICE
            if not full:
                time.sleep(LINGER_S)
            taken: list[Waiting[T, R]] = []
            with self._zones.changed:
                while self._waiting and len(taken) < SLICE:
                    one = self._waiting.popleft()
                    if one.future.set_running_or_notify_cancel():
                        taken.append(one)
            if taken:
                threading.Thread(target=self._send, args=(taken,), name="fleetsweep-slice", daemon=True).start()
