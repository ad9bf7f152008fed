"""What runs inside a Dask worker: surveys as plain tasks, which may run twice, and removals as calls on one Actor.

Dask runs a finished task again when the worker that holds its result dies. An Actor's call is never repeated by Dask;
should one arrive twice all the same, or at another Actor, it is refused.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleetsweep.sweep.host_worker import HostWorker, RefusedAttempt
from fleetsweep.sweep.slices import Reach, RemovalResult, RemovalTask, SurveyResult, SurveyTask

MOST_RUNS: Final = 8
"""Runs whose connections to bastions are kept. A run that ends has its own closed; one that was killed does not."""

MOST_THREADS: Final = 1024
"""Hosts that one Actor removes from at once. The controller's --forks is the usual limit."""


if TYPE_CHECKING:
    from dask.typing import Key
    from distributed import Worker


@dataclass(frozen=True, slots=True)
class Greeting:
    """An Actor's identity and the time of its clock, ``time.monotonic`` in seconds."""

    identity: str
    clock: float


_lock = threading.Lock()
_workers: Final[OrderedDict[str, HostWorker]] = OrderedDict()


def stop_profiler(dask_worker: Worker) -> bool:
    """Stop Dask's profiler in a worker, from its event loop, and return True.

    It calls ``sys._current_frames`` every 10 ms. In Python 3.11 that can wait for ever for a thread that starts or ends
    (https://github.com/python/cpython/issues/106883), and no thread of the process runs any more.
    """
    for name in ("profile", "profile-cycle"):
        callback = dask_worker.periodic_callbacks.get(name)
        if callback is not None:
            callback.stop()
    return True


def survey_slice(run: str, reach: Reach, tasks: Sequence[SurveyTask]) -> tuple[SurveyResult, ...]:
    """Survey several hosts at once, with nothing but GET."""
    worker = _worker_of(run, reach)
    with ThreadPoolExecutor(len(tasks), thread_name_prefix="fleetsweep-host") as pool:
        return tuple(pool.map(worker.survey, tasks))


def close_run(run: str) -> None:
    """Close a run's connections to bastions."""
    with _lock:
        worker = _workers.pop(run, None)
    if worker is not None:
        worker.__exit__(None, None, None)


class RemovalActor:
    """Carries out the removals of one run in one zone.

    A call that was meant for another object, such as one before a restart, is refused. Without a sign of life from the
    controller for ``lease_s`` seconds no further removal starts: the run may have ended, and the next one begun.
    """

    def __init__(self, reach: Reach, lease_s: float) -> None:
        self._identity = secrets.token_hex(16)
        self._worker = HostWorker(reach)
        self._pool = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="fleetsweep-host")
        self._lease_s = lease_s
        self._key = _own_key()
        self._renewed = time.monotonic()
        self._watching: threading.Thread | None = None

    async def begin(self) -> Greeting:
        """Return who this is, and watch for the controller's end from now on."""
        if self._watching is None:
            self._watching = threading.Thread(target=self._watch, name="fleetsweep-lease", daemon=True)
            self._renewed = time.monotonic()
            self._watching.start()
        return Greeting(self._identity, time.monotonic())

    async def renew(self) -> None:
        """Note that the controller is alive."""
        self._renewed = time.monotonic()

    async def apply(self, identity: str, tasks: Sequence[RemovalTask]) -> tuple[RemovalResult | None, ...]:
        """Carry out several plans at once. None is in the place of one that was refused."""
        if identity != self._identity:
            return (None,) * len(tasks)
        loop = asyncio.get_running_loop()
        # Begun before the first wait: a task that arrives twice is known by then.
        return tuple(await asyncio.gather(*(loop.run_in_executor(self._pool, self._carry_out, task) for task in tasks)))

    async def stop(self) -> None:
        """Let no further removal start."""
        self._worker.stopped.set()

    async def close(self) -> None:
        """Let no further removal start, and close the connections to bastions."""
        self._worker.stopped.set()
        await asyncio.get_running_loop().run_in_executor(self._pool, self._worker.__exit__, None, None, None)

    def _watch(self) -> None:
        while not self._worker.stopped.wait(0.2):
            if time.monotonic() > self._renewed + self._lease_s or self._is_dropped():
                self._worker.stopped.set()

    def _is_dropped(self) -> bool:
        """Whether the scheduler forgot this object: it does so as soon as the controller is gone."""
        if self._key is None:
            return False
        key, actors = self._key
        return actors.get(key) is not self

    def _carry_out(self, task: RemovalTask) -> RemovalResult | None:
        try:
            return self._worker.apply(task)
        except RefusedAttempt:
            return None


def _own_key() -> tuple[Key, Mapping[Key, object]] | None:
    """Return the key of the task that makes this object, and where its Dask worker keeps its Actors."""
    from distributed import get_worker

    try:
        worker = get_worker()
    except ValueError:
        return None
    return worker.get_current_task(), worker.state.actors


def _worker_of(run: str, reach: Reach) -> HostWorker:
    with _lock:
        worker = _workers.get(run)
        if worker is None:
            worker = _workers[run] = HostWorker(reach)
        oldest = _workers.popitem(last=False)[1] if len(_workers) > MOST_RUNS else None
    if oldest is not None:
        oldest.__exit__(None, None, None)
    return worker
