"""How the work on many hosts is spread: over this process's threads, over worker processes, or over a Dask cluster."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fleetsweep.errors import UsageError
from fleetsweep.sweep.remote import RemoteRunner
from fleetsweep.sweep.runner import Runner
from fleetsweep.sweep.slices import Reach

if TYPE_CHECKING:
    from fleetsweep.sweep.dask_cluster import DaskBackend
    from fleetsweep.sweep.scheduler import Scheduler

AUTO: Final = 0
"""As many processes as this process may use cores, but none for a few hosts."""

HOSTS_A_PROCESS: Final = 50
"""A process takes half a second of CPU to start, which is as much as this many hosts take."""


@dataclass(frozen=True, slots=True)
class Spread:
    """``processes`` is the number of worker processes, or AUTO; or ``scheduler`` is a Dask cluster's."""

    processes: int | None = None
    scheduler: Scheduler | None = None


def process_count(spread: Spread, hosts: int) -> int:
    """Return how many worker processes to start for so many hosts; 0 for none."""
    if spread.processes is None:
        return 0
    if spread.processes != AUTO:
        return min(spread.processes, hosts)
    count = min(len(os.sched_getaffinity(0)), hosts // HOSTS_A_PROCESS)
    return count if count > 1 else 0


@contextmanager
def open_runner(spread: Spread, hosts: int, reach: Reach, stopped: threading.Event) -> Iterator[Runner | None]:
    """Yield the runner for a run of so many hosts; None for this process's threads. Raises UsageError."""
    if spread.scheduler is not None:
        with _cluster(spread.scheduler, reach, stopped) as cluster:
            yield RemoteRunner(cluster)
        return
    count = process_count(spread, hosts)
    if not count:
        yield None
        return
    # Imported late: most runs need no processes.
    from fleetsweep.sweep.processes import ProcessBackend

    backend = ProcessBackend(count, reach, stopped)
    try:
        backend.__enter__()
    except OSError as error:
        backend.__exit__(None, None, None)
        raise UsageError(f"--processes: a worker process can't be started: {error.strerror}") from error
    try:
        yield RemoteRunner(backend)
    finally:
        backend.__exit__(None, None, None)


def _cluster(scheduler: Scheduler, reach: Reach, stopped: threading.Event) -> DaskBackend:
    """Return the backend. Raises UsageError without the extra that it needs."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise UsageError("--scheduler needs Dask: pip install 'fleetsweep[dask]'") from error
    from fleetsweep.sweep.dask_cluster import DaskBackend

    return DaskBackend(scheduler, reach, stopped)
