"""Runs one function over many hosts: bounded, in inventory order, under deadlines.

One host's failure, even a bug, is that host's result and never another's.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from fleetsweep.errors import HostError, Phase
from fleetsweep.model.host import Host
from fleetsweep.model.survey import Fault, Status
from fleetsweep.runtime.capacity import out_of_room
from fleetsweep.runtime.deadline import Deadline, Watchdog

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_TRIES = 5
"""How often a host is begun for which no thread or no memory was to be had."""

GRACE_S = 1.0
"""How long after its deadline a host may take to notice that its socket was shut."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``forks`` hosts at once, ``host_timeout_s`` each, ``run_timeout_s`` for all of them together."""

    forks: int
    host_timeout_s: float
    run_timeout_s: float


@dataclass(frozen=True, slots=True)
class HostResult(Generic[T]):
    """What one host came to: a value or a fault, and the seconds it took."""

    host: Host
    value: T | None
    fault: Fault | None
    duration_s: float


def run(
    hosts: Sequence[Host],
    work: Callable[[Host, Deadline], T],
    limits: Limits,
    *,
    stopped: threading.Event | None = None,
    on_done: Callable[[HostResult[T]], None] | None = None,
    may_begin_again: Callable[[Host], bool] = lambda host: True,
) -> list[HostResult[T]]:
    """Call ``work`` for every host and answer in the order given.

    Once ``stopped`` is set no further host is begun; those not begun are ``interrupted``. ``on_done`` is
    called from the calling thread as each host ends. Where no thread or no memory is to be had for a host, it is begun
    again when others have ended, if ``may_begin_again`` says so; then fewer are worked on at once.
    """
    if not hosts:
        return []
    stopped = stopped or threading.Event()
    results: dict[int, HostResult[T]] = {}
    with Watchdog() as watchdog:
        crew = _WorkerPool(hosts, work, limits, watchdog, stopped, may_begin_again)
        crew.hire(min(limits.forks, len(hosts)))
        while len(results) < len(hosts):
            for index, done in crew.collect():
                if index not in results:
                    results[index] = done
                    if on_done is not None:
                        on_done(done)
        crew.dismiss()
    return [results[index] for index in range(len(hosts))]


class _WorkerPool(Generic[T]):
    """Daemon threads that take hosts in order. One stuck past its deadline is given up and replaced."""

    def __init__(
        self,
        hosts: Sequence[Host],
        work: Callable[[Host, Deadline], T],
        limits: Limits,
        watchdog: Watchdog,
        stopped: threading.Event,
        may_begin_again: Callable[[Host], bool],
    ) -> None:
        self._may_begin_again = may_begin_again
        self._again: deque[int] = deque()
        self._tries: dict[int, int] = {}
        self._working = 0
        self._hosts = hosts
        self._work = work
        self._limits = limits
        self._watchdog = watchdog
        self._stopped = stopped
        self._run = Deadline(limits.run_timeout_s, watchdog)
        # For those that need not wait for a place: hundreds of threads on a busy machine begin seconds apart, and the
        # run must not end that much later.
        self._first = self._run.within(limits.host_timeout_s)
        self._lock = threading.Lock()
        self._next = 0
        self._begun: dict[int, tuple[float, Deadline, threading.Thread]] = {}
        self._finished: queue.SimpleQueue[tuple[int, HostResult[T]]] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def hire(self, count: int) -> None:
        """Begin so many threads, or as many as are to be had."""
        for _ in range(count):
            thread = threading.Thread(target=self._take_hosts, name="fleetsweep-host", daemon=True)
            with self._lock:
                self._working += 1
            try:
                thread.start()
            except (RuntimeError, MemoryError) as error:
                with self._lock:
                    self._working -= 1
                if not out_of_room(error):
                    raise
                log.info("no more than %d threads are to be had", self._working)
                return
            self._threads.append(thread)

    def dismiss(self) -> None:
        """Wait briefly for the threads to end. One that was given up is not waited for again."""
        ends = time.monotonic() + GRACE_S
        for thread in self._threads:
            thread.join(timeout=max(0.0, ends - time.monotonic()))

    def collect(self) -> list[tuple[int, HostResult[T]]]:
        """The hosts that ended since the last call, those given up included. Waits a tenth of a second."""
        ended: list[tuple[int, HostResult[T]]] = []
        try:
            ended.append(self._finished.get(timeout=0.1))
            while True:
                ended.append(self._finished.get_nowait())
        except queue.Empty:
            pass
        with self._lock:
            for index, _ in ended:
                self._begun.pop(index, None)
            if self._run.expired or self._stopped.is_set():
                ended.extend(self._abandon_waiting(self._run.expired))
            elif self._working == 0:
                # No thread is to be had, and none will come back to take the rest.
                ended.extend((index, self._without_room(index)) for index in self._take_waiting())
            stuck = [
                index
                for index, (_, deadline, _) in self._begun.items()
                if deadline.expired and time.monotonic() > deadline.instant + GRACE_S
            ]
            for index in stuck:
                started, deadline, thread = self._begun.pop(index)
                self._threads.remove(thread)
                ended.append((index, self._late(index, started, deadline)))
            # They sleep on something dead, and won't take another host.
            self._working -= len(stuck)
        self.hire(len(stuck))
        return ended

    def _take_waiting(self) -> list[int]:
        waiting = [*self._again, *range(self._next, len(self._hosts))]
        self._again.clear()
        self._next = len(self._hosts)
        return waiting

    def _without_room(self, index: int) -> HostResult[T]:
        remedy = "raise the limits (ulimit -u, ulimit -v, the service's TasksMax or MemoryMax), or lower --forks"
        fault = Fault(Status.FAILED, None, "no-room", "no thread or no memory was to be had for this host", remedy)
        return HostResult(self._hosts[index], None, fault, 0.0)

    def _abandon_waiting(self, run_over: bool) -> list[tuple[int, HostResult[T]]]:
        waiting = self._take_waiting()
        message = "the run's deadline passed" if run_over else "the run was stopped"
        return [
            (
                index,
                HostResult(
                    self._hosts[index],
                    None,
                    Fault(
                        Status.INTERRUPTED,
                        None,
                        "run-timeout" if run_over else "stopped",
                        f"{message} before this host's turn",
                        "raise --run-timeout or --forks, or select fewer hosts" if run_over else "",
                    ),
                    0.0,
                ),
            )
            for index in waiting
        ]

    def _late(self, index: int, started: float, deadline: Deadline) -> HostResult[T]:
        fault = Fault(
            Status.UNREACHABLE,
            None,
            "timeout",
            f"no result within {deadline.seconds:.0f} s",
            "raise --host-timeout, or look at the box",
        )
        return HostResult(self._hosts[index], None, fault, time.monotonic() - started)

    def _take_hosts(self) -> None:
        """One thread's life: a host after the other, until there is none left or no room for it."""
        while True:
            with self._lock:
                if not self._again and self._next >= len(self._hosts):
                    self._working -= 1
                    return
                if self._again:
                    index = self._again.popleft()
                else:
                    index = self._next
                    self._next += 1
                started = time.monotonic()
                at_once = index < self._limits.forks
                deadline = self._first if at_once else self._run.within(self._limits.host_timeout_s)
                self._begun[index] = (started, deadline, threading.current_thread())
            done = self._work_on(index, deadline, started)
            if done is not None:
                self._finished.put((index, done))
                continue
            with self._lock:
                if self._working > 1:
                    # The others go on, and leave more room for each.
                    self._working -= 1
                    return

    def _work_on(self, index: int, deadline: Deadline, started: float) -> HostResult[T] | None:
        """What one host came to; None where there was no room for it, and it is to be begun again."""
        host = self._hosts[index]
        value: T | None = None
        fault: Fault | None = None
        try:
            value = self._work(host, deadline)
        except HostError as error:
            fault = as_fault(error)
        except Exception as error:
            if out_of_room(error):
                return self._give_way(index)
            log.exception("a bug while working on %s", host.name)
            fault = Fault.of_bug(error)
        return HostResult(host, value, fault, time.monotonic() - started)

    def _give_way(self, index: int) -> HostResult[T] | None:
        with self._lock:
            self._tries[index] = self._tries.get(index, 0) + 1
            again = self._tries[index] < MOST_TRIES and self._may_begin_again(self._hosts[index])
            if again and index in self._begun:
                del self._begun[index]
                self._again.append(index)
                return None
        return self._without_room(index)


def as_fault(error: HostError) -> Fault:
    """The row of a host that could not be reached, or whose engine's answer could not be used."""
    status = Status.FAILED if error.phase is Phase.ENGINE else Status.UNREACHABLE
    return Fault(status, error.phase, error.kind, error.message, error.remedy)
