"""A bounded worker pool that runs one function for many hosts, in inventory order, under deadlines.

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

from fleetsweep.errors import FaultKind, FleetsweepError, HostError, Phase
from fleetsweep.model.host import Host
from fleetsweep.model.survey import Fault, Status
from fleetsweep.runtime.capacity import out_of_room
from fleetsweep.runtime.deadline import Deadline, Watchdog
from fleetsweep.runtime.garbage import CycleCollector

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_TRIES = 5
"""How often a host is started if the system grants no thread or no memory for it."""

GRACE_S = 1.0
"""Seconds that a host gets after its deadline to notice that its socket was shut."""


class HostFault(FleetsweepError):
    """The fault of one host, as a worker elsewhere found it."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Limits:
    """``forks`` is the most hosts in parallel; the timeouts, in seconds, are for each host and for the whole run.

    ``spread`` marks that the hosts are worked on in other processes, which may be why one takes too long.
    """

    forks: int
    host_timeout_s: float
    run_timeout_s: float
    spread: bool = False


@dataclass(frozen=True, slots=True)
class HostResult(Generic[T]):
    """The result of one host, a value or a fault, and the seconds it took."""

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
    may_retry: Callable[[Host], bool] = lambda host: True,
) -> list[HostResult[T]]:
    """Call ``work`` for every host, as ``run_each`` does, and return the results in the order given.

    ``on_done`` is called in the calling thread as each host ends.
    """
    results: dict[int, HostResult[T]] = {}

    def take(index: int, done: HostResult[T]) -> None:
        results[index] = done
        if on_done is not None:
            on_done(done)

    run_each(hosts, work, limits, take, stopped=stopped, may_retry=may_retry)
    return [results[index] for index in range(len(hosts))]


def run_each(
    hosts: Sequence[Host],
    work: Callable[[Host, Deadline], T],
    limits: Limits,
    take: Callable[[int, HostResult[T]], None],
    *,
    stopped: threading.Event | None = None,
    may_retry: Callable[[Host], bool] = lambda host: True,
) -> None:
    """Call ``work`` for every host, and ``take`` with each host's position and result as it ends. Keep no result.

    ``take`` is called in the calling thread, once for each host. Once ``stopped`` is set no further host is started,
    and the rest are ``interrupted``. If the system grants no thread or no memory for a host, it is started again when
    others have ended, with fewer in parallel, provided ``may_retry`` allows it.
    """
    if not hosts:
        return
    stopped = stopped or threading.Event()
    ended: set[int] = set()
    collector = CycleCollector()
    with Watchdog() as watchdog:
        pool = _WorkerPool(hosts, work, limits, watchdog, stopped, may_retry)
        pool.start(min(limits.forks, len(hosts)))
        while len(ended) < len(hosts):
            for index, done in pool.collect():
                if index not in ended:
                    ended.add(index)
                    collector.host_ended()
                    take(index, done)
        pool.join()


class _WorkerPool(Generic[T]):
    """Daemon threads that take hosts in order. A thread that hangs past its deadline is abandoned and replaced."""

    def __init__(
        self,
        hosts: Sequence[Host],
        work: Callable[[Host, Deadline], T],
        limits: Limits,
        watchdog: Watchdog,
        stopped: threading.Event,
        may_retry: Callable[[Host], bool],
    ) -> None:
        self._may_retry = may_retry
        self._retries: deque[int] = deque()
        self._tries: dict[int, int] = {}
        self._working = 0
        self._hosts = hosts
        self._work = work
        self._limits = limits
        self._watchdog = watchdog
        self._stopped = stopped
        self._run = Deadline(limits.run_timeout_s, watchdog)
        # One deadline for all hosts that start at once: on a busy machine hundreds of threads start seconds apart, and
        # the run must not end that much later.
        self._first_deadline = self._run.within(limits.host_timeout_s)
        self._lock = threading.Lock()
        self._next = 0
        self._begun: dict[int, tuple[float, Deadline, threading.Thread]] = {}
        self._finished: queue.SimpleQueue[tuple[int, HostResult[T]]] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def start(self, count: int) -> None:
        """Start so many threads, or as many as the system grants."""
        for _ in range(count):
            thread = threading.Thread(target=self._run_worker, name="fleetsweep-host", daemon=True)
            with self._lock:
                self._working += 1
            try:
                thread.start()
            except (RuntimeError, MemoryError) as error:
                with self._lock:
                    self._working -= 1
                if not out_of_room(error):
                    raise
                log.info("the system grants no more than %d threads", self._working)
                return
            self._threads.append(thread)

    def join(self) -> None:
        """Wait briefly for the threads to end, except for abandoned ones."""
        ends = time.monotonic() + GRACE_S
        for thread in self._threads:
            thread.join(timeout=max(0.0, ends - time.monotonic()))

    def collect(self) -> list[tuple[int, HostResult[T]]]:
        """Return the results since the last call, those of abandoned hosts included. Waits up to 0.1 s."""
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
                ended.extend(self._interrupt_waiting(self._run.expired))
            elif self._working == 0:
                # No thread is left, and none will come back for the rest.
                ended.extend((index, self._no_room(index)) for index in self._take_waiting())
            latest = time.monotonic() - GRACE_S
            stuck = [index for index, (_, deadline, _) in self._begun.items() if deadline.instant < latest]
            for index in stuck:
                started, deadline, thread = self._begun.pop(index)
                self._threads = [each for each in self._threads if each is not thread]
                ended.append((index, self._timed_out(index, started, deadline)))
            # These threads hang, and won't take another host.
            self._working -= len(stuck)
        self.start(len(stuck))
        return ended

    def _take_waiting(self) -> list[int]:
        waiting = [*self._retries, *range(self._next, len(self._hosts))]
        self._retries.clear()
        self._next = len(self._hosts)
        return waiting

    def _no_room(self, index: int) -> HostResult[T]:
        remedy = "raise the limits (ulimit -u, ulimit -v, the service's TasksMax or MemoryMax), or lower --forks"
        fault = Fault(
            Status.FAILED, None, FaultKind.NO_ROOM, "the system granted no thread or no memory for this host", remedy
        )
        return HostResult(self._hosts[index], None, fault, 0.0)

    def _interrupt_waiting(self, run_over: bool) -> list[tuple[int, HostResult[T]]]:
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
                        FaultKind.RUN_TIMEOUT if run_over else FaultKind.STOPPED,
                        f"{message} before this host's turn",
                        "raise --run-timeout or --forks, or select fewer hosts" if run_over else "",
                    ),
                    0.0,
                ),
            )
            for index in waiting
        ]

    def _timed_out(self, index: int, started: float, deadline: Deadline) -> HostResult[T]:
        fault = Fault(
            Status.UNREACHABLE,
            None,
            FaultKind.TIMEOUT,
            f"no result within {deadline.seconds:.0f} s",
            "raise --host-timeout, or look at the box" + (" and at its worker" if self._limits.spread else ""),
        )
        return HostResult(self._hosts[index], None, fault, time.monotonic() - started)

    def _run_worker(self) -> None:
        """Work on one host after another, until none is left or the system has no room for this thread."""
        while True:
            with self._lock:
                if not self._retries and self._next >= len(self._hosts):
                    self._working -= 1
                    return
                if self._retries:
                    index = self._retries.popleft()
                else:
                    index = self._next
                    self._next += 1
                started = time.monotonic()
                immediate = index < self._limits.forks
                deadline = self._first_deadline if immediate else self._run.within(self._limits.host_timeout_s)
                self._begun[index] = (started, deadline, threading.current_thread())
            done = self._work_on(index, deadline, started)
            if done is not None:
                with self._lock:
                    if self._begun.pop(index, None) is None:
                        # Given up at its deadline: another thread has taken this one's place.
                        return
                self._finished.put((index, done))
                continue
            with self._lock:
                if self._working > 1:
                    # End this thread: the others go on, with more room for each.
                    self._working -= 1
                    return

    def _work_on(self, index: int, deadline: Deadline, started: float) -> HostResult[T] | None:
        """Return one host's result; None if there was no room for it and it will be started again."""
        host = self._hosts[index]
        value: T | None = None
        fault: Fault | None = None
        try:
            value = self._work(host, deadline)
        except HostError as error:
            fault = as_fault(error)
        except HostFault as error:
            fault = error.fault
        except Exception as error:
            if out_of_room(error):
                return self._retry(index)
            log.exception("a bug while working on %s", host.name)
            fault = Fault.of_bug(error)
        return HostResult(host, value, fault, time.monotonic() - started)

    def _retry(self, index: int) -> HostResult[T] | None:
        with self._lock:
            self._tries[index] = self._tries.get(index, 0) + 1
            retry = self._tries[index] < MOST_TRIES and self._may_retry(self._hosts[index])
            if retry and index in self._begun:
                del self._begun[index]
                self._retries.append(index)
                return None
        return self._no_room(index)


def as_fault(error: HostError) -> Fault:
    """Return the fault of a host that could not be reached, or whose engine's response could not be used."""
    status = Status.FAILED if error.phase is Phase.ENGINE else Status.UNREACHABLE
    return Fault(status, error.phase, error.kind, error.message, error.remedy)
