"""Worker processes on this machine, each with an interpreter, and so a core, of its own. A task is sent once."""

from __future__ import annotations

import itertools
import logging
import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from multiprocessing.connection import Connection
from types import TracebackType
from typing import IO, Final

from fleetsweep.errors import FaultKind
from fleetsweep.model.survey import Fault, Status
from fleetsweep.runtime.children import Child
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.sweep.frames import Ask, Reply, Signal, pipe_end, receive, send
from fleetsweep.sweep.remote import WorkerLost
from fleetsweep.sweep.slices import Reach, RemovalResult, RemovalTask, SurveyResult, SurveyTask
from fleetsweep.sweep.workers import GRACE_S, HostFault

log = logging.getLogger(__name__)

RESTARTS: Final = 3
"""How often a process that ended is replaced, for each that was asked for: a box must not end one after the other."""

LAST_RESULT_S: Final = GRACE_S + 4.0
"""Seconds after its deadline for which a host's result is waited for. The pool has given the host up by then."""


class ProcessBackend:
    """Hands each task to the process with the fewest. Leaving the context ends the processes.

    A process that ends loses the tasks that it had; a new one takes its place for the others.
    """

    def __init__(self, count: int, reach: Reach, stopped: threading.Event) -> None:
        self._reach = reach
        self._stopped = stopped
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self.stop_passed_on = threading.Event()
        self._restarts = RESTARTS * count
        self._workers: list[WorkerProcess] = []
        self._count = count
        self._watcher = threading.Thread(target=self._pass_on_stop, name="fleetsweep-stop", daemon=True)

    def __enter__(self) -> ProcessBackend:
        for _ in range(self._count):
            self._workers.append(WorkerProcess(self._reach))
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed.set()
        if self._watcher.ident is not None:
            self._watcher.join()
        for worker in self._workers:
            worker.hang_up()
        for worker in self._workers:
            worker.end()

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes' ids."""
        return tuple(worker.pid for worker in self._workers)

    def survey(self, task: SurveyTask, deadline: Deadline, /) -> SurveyResult:
        """Have one host surveyed. Raises HostFault and WorkerLost."""
        result = self._ask(task, deadline)
        if not isinstance(result, SurveyResult):
            raise WorkerLost("the worker returned something else than a survey")
        return result

    def apply(self, task: RemovalTask, deadline: Deadline, /) -> RemovalResult:
        """Have one plan carried out. Raises HostFault and WorkerLost."""
        result = self._ask(task, deadline)
        if not isinstance(result, RemovalResult):
            raise WorkerLost("the worker returned something else than removals")
        return result

    def _ask(self, task: SurveyTask | RemovalTask, deadline: Deadline) -> SurveyResult | RemovalResult:
        worker, number, future = self._begin()
        worker.send(Ask(number, task))
        try:
            return future.result(deadline.remaining() + LAST_RESULT_S)
        except FutureTimeout:
            raise WorkerLost("no result by the deadline") from None

    def _begin(self) -> tuple[WorkerProcess, int, Future[SurveyResult | RemovalResult]]:
        """Return a worker, and the number and future of a task for it. Raises HostFault if there is none any more."""
        with self._lock:
            for position, worker in enumerate(self._workers):
                if worker.ended and self._restarts > 0 and not self._stopped.is_set():
                    self._restarts -= 1
                    log.warning("worker process %d ended: another one takes its place", worker.pid)
                    worker.end()
                    try:
                        self._workers[position] = WorkerProcess(self._reach)
                    except OSError as error:
                        log.warning("no worker process can be started: %s", error)
            alive = [worker for worker in self._workers if not worker.ended]
            if not alive:
                raise HostFault(
                    Fault(
                        Status.FAILED,
                        None,
                        FaultKind.NO_WORKER,
                        "the worker processes ended, again and again",
                        "see why they end, such as by memory, or leave out --processes",
                    )
                )
            worker = min(alive, key=lambda each: each.load)
            return (worker, *worker.expect())

    def _pass_on_stop(self) -> None:
        while not self._closed.is_set():
            if self._stopped.wait(0.1):
                for worker in self._workers:
                    worker.send(Signal.STOP)
                self.stop_passed_on.set()
                return


class WorkerProcess:
    """One worker process and the tasks that it has."""

    def __init__(self, reach: Reach) -> None:
        pipe = subprocess.PIPE
        # Its log goes where ours goes.
        self._child = Child(_command(), stdin=pipe, stdout=pipe, stderr=2)
        process = self._child.process
        self.pid = process.pid
        self._asks = _take_over(process.stdin, writes=True)
        self._replies = _take_over(process.stdout, writes=False)
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._futures: dict[int, Future[SurveyResult | RemovalResult]] = {}
        self._ended = False
        self._reader = threading.Thread(target=self._read, name="fleetsweep-worker", daemon=True)
        self._reader.start()
        self.send(reach)

    @property
    def ended(self) -> bool:
        """Whether it takes no more tasks."""
        return self._ended

    @property
    def load(self) -> int:
        """How many tasks it has."""
        return len(self._futures)

    def expect(self) -> tuple[int, Future[SurveyResult | RemovalResult]]:
        """Return the number and the future of a task that is about to be sent."""
        future: Future[SurveyResult | RemovalResult] = Future()
        with self._lock:
            number = next(self._numbers)
            if self._ended:
                future.set_exception(WorkerLost(self._epitaph()))
            else:
                self._futures[number] = future
        return number, future

    def send(self, message: Ask | Reach | Signal) -> None:
        """Send a message. If the process has ended, the reader finds out."""
        try:
            with self._sending:
                send(self._asks, message)
        except OSError:
            log.debug("worker process %d takes no messages", self.pid, exc_info=True)

    def hang_up(self) -> None:
        """Close the pipe of tasks: the process exits."""
        with self._sending:
            self._asks.close()

    def end(self) -> None:
        """End the process if it still runs, and its children."""
        self._child.status(GRACE_S)
        self._child.end()
        self._reader.join(timeout=GRACE_S)
        with self._sending:
            if not self._asks.closed:
                self._asks.close()

    def _epitaph(self) -> str:
        status = self._child.status(0.2)
        how = "" if status is None else f" by signal {-status}" if status < 0 else f" with status {status}"
        return f"worker process {self.pid} ended{how} while it worked on this host"

    def _read(self) -> None:
        try:
            while True:
                message = receive(self._replies)
                if isinstance(message, Reply):
                    self._resolve(message)
        except (EOFError, OSError):
            pass
        finally:
            with self._lock:
                self._ended = True
                lost = list(self._futures.values())
                self._futures.clear()
            epitaph = self._epitaph() if lost else ""
            for future in lost:
                future.set_exception(WorkerLost(epitaph))
            self._replies.close()

    def _resolve(self, reply: Reply) -> None:
        with self._lock:
            future = self._futures.pop(reply.number, None)
        if future is None:
            return
        if reply.result is None:
            future.set_exception(WorkerLost(reply.refused))
        else:
            future.set_result(reply.result)


def _command() -> list[str]:
    # The same modules as ours, wherever we have them from. Without -P a module in the working directory would win.
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; from fleetsweep.__main__ import leave; "
        "from fleetsweep.sweep.process_worker import main; main(); leave(0)"
    )
    return [sys.executable, "-P", "-c", program]


def _take_over(pipe: IO[bytes] | None, *, writes: bool) -> Connection:
    """Return our end of a child's pipe in place of the file that Popen made of it."""
    if pipe is None:
        raise TypeError("the worker process has no pipe")
    end = pipe_end(os.dup(pipe.fileno()), writes=writes)
    pipe.close()
    return end
