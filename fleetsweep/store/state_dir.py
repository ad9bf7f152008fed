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
from types import TracebackType
from typing import Final

from fleetsweep.errors import UsageError
from fleetsweep.runtime.files import pasted

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
    with _Lock(state_dir) as lock:
        yield lock.take(holder)


@contextmanager
def sweep_lock(
    state_dir: Path, holder: str, wait_s: float, stopped: threading.Event, tell: Callable[[str], None]
) -> Iterator[bool]:
    """The lock that one sweep holds while it runs. The kernel drops it when its holder dies.

    ``tell`` is called once with who has it, if somebody has it for longer than GRACE_S. Gives False once ``stopped``
    is set. Raises UsageError after ``wait_s`` seconds: nothing was contacted by then.
    """
    with _Lock(state_dir) as lock:
        began = time.monotonic()
        ends = began + max(wait_s, GRACE_S)
        told = False
        while not lock.take(holder):
            other = lock.holder()
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


class _Lock:
    """A lock on the state directory itself, and on a file in it that names the holder.

    A file's lock is gone with the file: a clean-up of old files once let two sweeps run at once. The directory can't be
    deleted as long as the journal lies in it. The file is locked besides, for earlier versions and for file systems
    that lock no directories, such as NFS.
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
        """Whether the lock is held now. Raises UsageError where the file can't be opened."""
        if not _flock(self._directory):
            return False
        if not self._take_file():
            # Whoever holds the file alone, an earlier version perhaps, must not be waited for with this in hand.
            fcntl.flock(self._directory, fcntl.LOCK_UN)
            return False
        # Only to name the holder to others: a full disk must not cost the lock.
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{holder}\n".encode(), 0)
        except OSError:
            pass
        return True

    def holder(self) -> str:
        """Who holds the lock, as far as that can be told."""
        try:
            with closing_descriptor(open_private(self._path)) as descriptor:
                named = os.pread(descriptor, 500, 0).decode("utf-8", "replace").strip()
        except UsageError:
            named = ""
        return named or _process_that_locks(self._directory) or "another sweep"

    def _take_file(self) -> bool:
        """Lock the file that is there once the lock is held: it may have been deleted, and another made, meanwhile."""
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
    """Close a descriptor as the block ends."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _flock(descriptor: int) -> bool:
    """Whether nobody else has the lock. A file system that can't lock a directory says neither."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise
    return True


def _process_that_locks(descriptor: int) -> str:
    """By the kernel's list, where there is one (proc_locks(5))."""
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
