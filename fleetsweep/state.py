"""The state directory: safe to write in, and one sweep in it at a time."""

from __future__ import annotations

import fcntl
import os
import pwd
import shlex
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from fleetsweep.errors import UsageError
from fleetsweep.files import pasted

POLL_S: Final = 0.2

GRACE_S: Final = 1.0
"""An audit holds the lock for the blink of an eye: that is neither worth a word nor a refusal."""


def prepare_state_dir(path: Path) -> Path:
    """The state directory, made 0700 if it isn't there. Raises UsageError unless it is safe to write in."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise UsageError(f"state directory {path}: {error.strerror}: give another one with --state-dir") from error
    if not stat.S_ISDIR(found.st_mode):
        raise UsageError(f"state directory {path} is not a real directory: give another one with --state-dir")
    if found.st_uid != os.geteuid():
        owner = _name_of(found.st_uid)
        raise UsageError(
            f"state directory {path} belongs to {owner}: run this as that account "
            f"(sudo -u {shlex.quote(owner)} fleetsweep ...), or give another one with --state-dir"
        )
    if found.st_mode & 0o022:
        raise UsageError(f"state directory {path} must be yours alone to write: chmod 700 {pasted(path)}")
    return path


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def open_private(path: Path) -> int:
    """A descriptor of a file of ours in the state directory, made 0600 if it isn't there. Raises UsageError.

    A symlink there would have us write where somebody else chose.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        what = "is a symlink" if path.is_symlink() else error.strerror
        raise UsageError(f"{path}: {what}: remove it, or give another place with --state-dir") from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        os.close(descriptor)
        raise UsageError(f"{path} is not a file of yours: remove it, or give another place with --state-dir")
    return descriptor


def free_space(path: Path) -> str:
    """How much is left where ``path`` lies, in words for a message about a full disk."""
    try:
        found = os.statvfs(path)
    except OSError:
        return ""
    return f" ({found.f_bavail * found.f_frsize // 1024} KiB free, {found.f_favail} files)"


@contextmanager
def try_sweep_lock(state_dir: Path, holder: str) -> Iterator[bool]:
    """Whether no sweep runs on this state directory; if so, none begins until the block ends."""
    with _opened(state_dir) as descriptor:
        yield _take(descriptor, holder)


@contextmanager
def sweep_lock(
    state_dir: Path, holder: str, wait_s: float, stopped: threading.Event, tell: Callable[[str], None]
) -> Iterator[bool]:
    """The lock that one sweep holds while it runs. The kernel drops it when its holder dies.

    ``tell`` is called once with who has it, if somebody has it for longer than GRACE_S. Gives False once ``stopped``
    is set. Raises UsageError after ``wait_s`` seconds: nothing was contacted by then.
    """
    with _opened(state_dir) as descriptor:
        began = time.monotonic()
        ends = began + max(wait_s, GRACE_S)
        told = False
        while not _take(descriptor, holder):
            other = os.pread(descriptor, 500, 0).decode("utf-8", "replace").strip() or "another sweep"
            if stopped.is_set():
                yield False
                return
            if time.monotonic() >= ends:
                raise UsageError(
                    f"{state_dir}: {other} is at work and did not end within {wait_s:g} s: "
                    "wait for it, raise --lock-wait, or give another --state-dir"
                )
            if not told and time.monotonic() >= began + GRACE_S:
                told = True
                tell(f"waiting for {other} (--lock-wait {wait_s:g}s)")
            stopped.wait(min(POLL_S, max(0.0, ends - time.monotonic())))
        yield True


@contextmanager
def _opened(state_dir: Path) -> Iterator[int]:
    descriptor = open_private(state_dir / "lock")
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int, holder: str) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # Only to name the holder to others: a full disk must not cost the lock.
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{holder}\n".encode(), 0)
    except OSError:
        pass
    return True
