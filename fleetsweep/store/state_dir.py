"""The state directory: checks that it is safe to write, and a lock for one sweep at a time."""

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
from types import TracebackType
from typing import Final

from fleetsweep.errors import UsageError
from fleetsweep.runtime.files import quoted

POLL_S: Final = 0.2
"""Seconds between attempts to take the lock."""

GRACE_S: Final = 1.0
"""Seconds to wait without a message or an error: an audit holds the lock for an instant."""


def prepare_state_dir(path: Path) -> Path:
    """Return the state directory, created with mode 0700 if missing. Raises UsageError unless it is safe to use."""
    try:
        found = _made(path)
    except OSError as error:
        raise UsageError(f"state directory {path}: {error.strerror}: give another one with --state-dir") from error
    if not stat.S_ISDIR(found.st_mode):
        raise UsageError(f"state directory {path} is not a real directory: give another one with --state-dir")
    if found.st_uid != os.geteuid():
        owner = _account(found.st_uid)
        raise UsageError(
            f"state directory {path} belongs to {owner}: run this as that account "
            f"(sudo -u {shlex.quote(owner)} fleetsweep ...), or give another one with --state-dir"
        )
    if found.st_mode & 0o022:
        raise UsageError(f"state directory {path} can be written by others: chmod 700 {quoted(path)}")
    return path


def _made(path: Path) -> os.stat_result:
    """Return the state of the directory, which is created if it is missing. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) and not stat.S_ISLNK(found.st_mode):
            raise
        return found
    # The umask may have taken bits away, without which the next run could not enter it.
    path.chmod(0o700)
    return path.lstat()


def _account(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def open_private(path: Path) -> int:
    """Open our own file in the state directory, created with mode 0600 if it is missing. Raises UsageError.

    Symlinks are refused: another user could redirect the write.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        what = "is a symlink" if path.is_symlink() else error.strerror
        raise UsageError(f"{path}: {what}: remove it, or give another directory with --state-dir") from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        os.close(descriptor)
        raise UsageError(
            f"{path} is not a regular file of this account: remove it, or give another directory with --state-dir"
        )
    if found.st_mode & 0o600 != 0o600:
        # It is new, and the umask took these bits away: the next run could not open it.
        os.fchmod(descriptor, 0o600)
    return descriptor


def free_space(path: Path) -> str:
    """Return the free space of the file system of ``path``, for a message; empty if it is unknown."""
    try:
        found = os.statvfs(path)
    except OSError:
        return ""
    return f" ({found.f_bavail * found.f_frsize // 1024} KiB free, {found.f_favail} files)"


@contextmanager
def try_sweep_lock(state_dir: Path, holder: str) -> Iterator[bool]:
    """Take the sweep lock without waiting. Yields whether it was free; if so, no sweep starts until the block ends."""
    with _Lock(state_dir) as lock:
        yield lock.take(holder)


@contextmanager
def sweep_lock(
    state_dir: Path, holder: str, wait_s: float, stopped: threading.Event, on_wait: Callable[[str], None]
) -> Iterator[bool]:
    """Hold the lock that allows one sweep at a time. The kernel releases it when its holder dies.

    ``on_wait`` is called once, with a message that names the holder, after waiting for GRACE_S. Yields True with the
    lock, False once ``stopped`` is set. Raises UsageError after ``wait_s`` seconds; no host is contacted by then.
    """
    with _Lock(state_dir) as lock:
        started = time.monotonic()
        deadline = started + max(wait_s, GRACE_S)
        reported = False
        while not lock.take(holder):
            other = lock.holder()
            if stopped.is_set():
                yield False
                return
            if time.monotonic() >= deadline:
                raise UsageError(
                    f"{state_dir}: {other} is running and did not end within {wait_s:g} s: "
                    "wait for it, raise --lock-wait, or give another --state-dir"
                )
            if not reported and time.monotonic() >= started + GRACE_S:
                reported = True
                on_wait(f"waiting for {other} (--lock-wait {wait_s:g}s)")
            stopped.wait(min(POLL_S, max(0.0, deadline - time.monotonic())))
        yield True


class _Lock:
    """A lock on the state directory itself and on a file in it that names the holder.

    A lock on a file alone is lost with the file: a clean-up of old files once let two sweeps run at once. The directory
    can't be deleted while it holds the journal. The file is locked too, for earlier versions of fleetsweep and for file
    systems that can't lock directories, such as NFS.
    """

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "lock"
        try:
            self._directory = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise UsageError(f"state directory {state_dir}: {error.strerror}: give another --state-dir") from error
        self._file = -1

    def __enter__(self) -> _Lock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close_file()
        os.close(self._directory)

    def take(self, holder: str) -> bool:
        """Try to take the lock; return whether it is held now. Raises UsageError where the file can't be opened."""
        if not _flock(self._directory):
            return False
        if not self._take_file():
            # Another process, perhaps an earlier version, holds the file alone: don't keep the directory meanwhile.
            fcntl.flock(self._directory, fcntl.LOCK_UN)
            return False
        # The name is only for messages: a full disk must not fail the lock.
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{holder}\n".encode(), 0)
        except OSError:
            pass
        return True

    def holder(self) -> str:
        """Return the holder's name, or what is known of it."""
        try:
            with closing_descriptor(open_private(self._path)) as descriptor:
                name = os.pread(descriptor, 500, 0).decode("utf-8", "replace").strip()
        except UsageError:
            name = ""
        return name or _process_that_locks(self._directory) or "another sweep"

    def _take_file(self) -> bool:
        """Lock the file, again if it was deleted or replaced before the lock was taken. Return whether it was free."""
        while True:
            self._close_file()
            self._file = open_private(self._path)
            try:
                if not _flock(self._file):
                    return False
            except OSError as error:
                raise UsageError(
                    f"{self._path} can't be locked: {error.strerror}: give a --state-dir on a local disk"
                ) from error
            try:
                if os.path.samestat(os.fstat(self._file), self._path.stat()):
                    return True
            except OSError:
                continue

    def _close_file(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


@contextmanager
def closing_descriptor(descriptor: int) -> Iterator[int]:
    """Close a descriptor when the block ends."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _flock(descriptor: int) -> bool:
    """Try to lock; return False if another process holds the lock. Return True where directories can't be locked."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise
    return True


def _process_that_locks(descriptor: int) -> str:
    """Return the process that holds the lock, by /proc/locks (proc_locks(5)); empty if it is not listed."""
    found = os.fstat(descriptor)
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return ""
    for fields in map(str.split, lines):
        if len(fields) > 5 and fields[1] == "FLOCK" and fields[5] == place:
            return f"a sweep (process {fields[4]})"
    return ""
