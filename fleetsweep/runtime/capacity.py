"""How many hosts fit into this process's resource limits: descriptors, address space and threads."""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path
from typing import Final

from fleetsweep.errors import UsageError

RESERVED_FILES: Final = 24
FILES_PER_HOST: Final = 4
MIB: Final = 2**20

RESERVED_MEMORY: Final = 256 * MIB
"""Bytes of address space for what every run needs: the SSH client, the Docker SDK, responses in transit."""

MEMORY_PER_HOST: Final = 8 * MIB
"""Bytes, without the stacks of its threads."""

THREADS_PER_HOST: Final = 6
"""One for the host, one for its connection, and four that remove containers."""

STACK_IF_UNLIMITED: Final = 2 * MIB

M_ARENA_MAX: Final = -8
"""The parameter of mallopt(3)."""

_MEMORY_STEP: Final = 4 * MIB
_UNLIMITED: Final = resource.RLIM_INFINITY


def hosts_at_once() -> int:
    """Return how many hosts may be worked on in parallel.

    Raises UsageError, naming the limit to raise, if there is no room for even one.
    """
    files = (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - RESERVED_FILES) // FILES_PER_HOST
    rooms = [(max(1, files), "")]
    memory = resource.getrlimit(resource.RLIMIT_AS)[0]
    if memory != _UNLIMITED:
        stack = resource.getrlimit(resource.RLIMIT_STACK)[0]
        per_host = MEMORY_PER_HOST + THREADS_PER_HOST * (STACK_IF_UNLIMITED if stack == _UNLIMITED else stack)
        _share_one_heap()
        needed = _address_space() + RESERVED_MEMORY + per_host
        # The next start may take a few pages more.
        enough = (needed // _MEMORY_STEP + 2) * _MEMORY_STEP
        rooms.append(((memory - needed) // per_host + 1, f"ulimit -v {enough // 1024}"))
    threads = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    # Root has no such limit. Counting this user's threads reads every process, so only where the limit is low.
    if threads != _UNLIMITED and os.geteuid() != 0 and threads < 4096:
        used = _threads_of(os.geteuid())
        rooms.append(((threads - used - 8) // THREADS_PER_HOST, f"ulimit -u {used + 8 + THREADS_PER_HOST}"))
    room, remedy = min(rooms)
    if room < 1:
        raise UsageError(f"this shell's limits leave no room for even one host: raise them, to {remedy} or more")
    return room


def out_of_room(error: BaseException) -> bool:
    """Whether the error means that the system granted no thread or no memory."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and "can't start new thread" in str(error)
    )


def _share_one_heap() -> None:
    """Make all threads share one heap: glibc reserves 64 MiB of address space for each thread's own heap."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def _address_space() -> int:
    """Return the bytes of address space that this process has mapped."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _threads_of(uid: int) -> int:
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            if int(lines["Uid"].split()[0]) == uid:
                total += int(lines["Threads"])
        except (OSError, KeyError, ValueError):
            continue
    return total
