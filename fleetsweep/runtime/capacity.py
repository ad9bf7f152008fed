"""How many hosts at once this process has room for: descriptors, address space and threads."""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path
from typing import Final

from fleetsweep.errors import UsageError

FILES_KEPT: Final = 24
FILES_A_HOST: Final = 4
MIB: Final = 2**20

MEMORY_KEPT: Final = 256 * MIB
"""Bytes of address space for what every run loads: the SSH client, the Docker SDK, the answers that are being read."""

MEMORY_A_HOST: Final = 8 * MIB
"""Bytes, besides the stacks of its threads."""

THREADS_A_HOST: Final = 6
"""Its own, its connection's, and four that remove."""

STACK_IF_UNLIMITED: Final = 2 * MIB

M_ARENA_MAX: Final = -8
"""mallopt(3)'s parameter."""

_UNLIMITED: Final = resource.RLIM_INFINITY


def hosts_at_once() -> int:
    """How many hosts may be worked on at the same time. Raises UsageError, with what to raise, where that is none."""
    files = (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - FILES_KEPT) // FILES_A_HOST
    rooms = [(max(1, files), "")]
    memory = resource.getrlimit(resource.RLIMIT_AS)[0]
    if memory != _UNLIMITED:
        stack = resource.getrlimit(resource.RLIMIT_STACK)[0]
        a_host = MEMORY_A_HOST + THREADS_A_HOST * (STACK_IF_UNLIMITED if stack == _UNLIMITED else stack)
        _share_one_heap()
        needed = _address_space() + MEMORY_KEPT + a_host
        rooms.append(((memory - needed) // a_host + 1, f"ulimit -v {needed // 1024}"))
    threads = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    # Root has no such limit. To count the others' threads takes a look at each process: only where it is near.
    if threads != _UNLIMITED and os.geteuid() != 0 and threads < 4096:
        used = _threads_of(os.geteuid())
        rooms.append(((threads - used - 8) // THREADS_A_HOST, f"ulimit -u {used + 8 + THREADS_A_HOST}"))
    room, remedy = min(rooms)
    if room < 1:
        raise UsageError(f"this shell's limits leave no room to reach even one host: raise them, to {remedy} or more")
    return room


def out_of_room(error: BaseException) -> bool:
    """Whether this is Python's way to say that no thread, or no memory, is to be had."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and "can't start new thread" in str(error)
    )


def _share_one_heap() -> None:
    """Have all threads use one heap: glibc reserves 64 MiB of address space for each thread that has its own."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def _address_space() -> int:
    """Bytes that this process has mapped."""
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
