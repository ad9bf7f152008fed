"""Writing a file whole, or not at all. Reports, plans, baselines, metrics and schedules all come through here.

A regular file is replaced at once by a new one, which was complete before it got the name. A pipe or a device is
written to and never replaced. Errors are OSErrors whose ``strerror`` is for people and whose ``filename`` is the path
that was asked for.
"""

from __future__ import annotations

import errno
import io
import os
import secrets
import select
import shlex
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PATIENCE_S: Final = 5.0
"""Seconds for somebody to open the other end of a pipe."""

STALL_S: Final = 30.0
"""Seconds that the reader of a pipe may leave it full."""

_MOST_LINKS: Final = 40
_IN_PLACE: Final = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY}
"""What a directory answers that can't get a new file, or a file that can't be replaced though it can be written."""
_NO_NAMELESS: Final = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.ENOSYS} | {
    *(errno.EPERM, errno.EXDEV, errno.EMLINK)
}
"""What a system answers that can't make a file without a name, or can't give it one later."""


def replace(path: Path, content: str | bytes, *, mode: int, durable: bool = False) -> None:
    """Put a file of ours at ``path``: whole or not at all, with exactly ``mode``. Raises OSError.

    A symlink there is replaced, not followed. ``durable`` content is on the disk when this returns.
    """
    with _named(path):
        found = _lstat(path)
        if found is not None and stat.S_ISDIR(found.st_mode):
            raise OSError(errno.EISDIR, "is a directory")
        if found is None or stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode):
            _replace(path, _bytes(content), mode, None, durable=durable)
        else:
            _feed(path, _bytes(content))


def write(path: Path, content: str | bytes) -> None:
    """Put ``content`` where an operator asked for it: as a shell's ``>`` would, but whole or not at all.

    Symlinks are followed, as the kernel's protected_symlinks rule allows. A regular file keeps its mode and owner; a
    new one gets what the umask leaves. Where only the file itself may be written, it is written in place. Raises
    OSError.
    """
    with _named(path):
        place, data = _followed(path), _bytes(content)
        if isinstance(place, int):
            _send(place, data, None)
            return
        found = _lstat(place)
        if found is None:
            _replace(place, data, None, None)
        elif stat.S_ISDIR(found.st_mode):
            raise OSError(errno.EISDIR, "is a directory")
        elif stat.S_ISREG(found.st_mode):
            _update(place, found, data)
        else:
            _feed(place, data)


def append(path: Path, content: str | bytes) -> None:
    """Add ``content`` to the end of what is there, all of it or nothing. Raises OSError."""
    with _named(path):
        place, data = _followed(path), _bytes(content)
        if isinstance(place, int):
            _send(place, data, None)
            return
        found = _lstat(place)
        if found is not None and not stat.S_ISREG(found.st_mode):
            if stat.S_ISDIR(found.st_mode):
                raise OSError(errno.EISDIR, "is a directory")
            _feed(place, data)
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        descriptor = os.open(place, flags, 0o666)
        try:
            size = os.fstat(descriptor).st_size
            try:
                _send(descriptor, data, None)
            except BaseException:
                with suppress(OSError):
                    os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)


def open_regular(path: Path) -> io.BufferedReader:
    """A regular file to read. Raises OSError; never waits for the writer of a pipe."""
    with _named(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "is not a file")
        return os.fdopen(descriptor, "rb")


def pasted(path: Path | str) -> str:
    """A path as one word of a command that somebody will paste: no shell expands a ``~`` that stands in quotes."""
    return shlex.quote(expanded(path))


def expanded(path: Path | str) -> str:
    """A path without ``~``; an unknown user's stays as it is written."""
    return os.path.expanduser(path)  # noqa: PTH111


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors name the path that was asked for, and never a temporary one."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def _bytes(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")


def _lstat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None


def _followed(path: Path) -> Path | int:
    """Where the links at ``path`` end: a path that is no link, or a descriptor of ours for /dev/stdout and its like.

    A link in a directory that everybody may write is followed only if it is ours or the directory's owner's. The kernel
    has that rule for opening a file (proc_sys_fs(5), protected_symlinks); a path that we read ourselves evades it.
    """
    for _ in range(_MOST_LINKS):
        found = _lstat(path)
        if found is None or not stat.S_ISLNK(found.st_mode):
            return path
        parent = os.path.realpath(path.parent)
        if parent == os.path.realpath("/proc/self/fd"):
            number = int(path.name)
            # One that was not handed to us at the start is an inner one: a journal's, a connection's.
            if not os.get_inheritable(number):
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            return number
        if parent.startswith("/proc/"):
            raise OSError(errno.EINVAL, "is another process's open file")
        holder = path.parent.stat()
        if holder.st_mode & stat.S_IWOTH and found.st_uid not in {os.geteuid(), holder.st_uid}:
            raise OSError(errno.EACCES, "is a symlink that somebody else put into a directory that all may write")
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _update(path: Path, found: os.stat_result, data: bytes) -> None:
    """Give a regular file new content, and leave its mode and owner."""
    if not os.access(path, os.W_OK, effective_ids=True):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    try:
        _replace(path, data, stat.S_IMODE(found.st_mode) & 0o777, (found.st_uid, found.st_gid))
    except OSError as error:
        if error.errno not in _IN_PLACE:
            raise
        _overwrite(path, data)


def _replace(
    path: Path, data: bytes, mode: int | None, owner: tuple[int, int] | None, *, durable: bool = False
) -> None:
    """Let ``path`` name a new file. Until then the file has no name at all, or where that can't be, a random one."""
    # Short and unlike the target's: node-exporter, cron and systemd must not take it for one of theirs.
    half = path.with_name(f".fleetsweep-{secrets.token_hex(8)}")
    if not _make(half, data, mode, owner, durable=durable, nameless=True):
        _make(half, data, mode, owner, durable=durable, nameless=False)
    try:
        half.replace(path)
    except BaseException:
        with suppress(OSError):
            half.unlink()
        raise
    if durable:
        # Not every file system can sync a directory.
        with suppress(OSError):
            directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)


def _make(
    half: Path, data: bytes, mode: int | None, owner: tuple[int, int] | None, *, durable: bool, nameless: bool
) -> bool:
    """Make a whole new file at ``half``, or none. Raises OSError.

    ``nameless`` gives it its name only when it is complete, so that even SIGKILL leaves nothing behind. False where
    that can't be done here.
    """
    at_first = 0o666 if mode is None else 0o600
    if nameless:
        try:
            descriptor = os.open(half.parent, os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, at_first)
        except OSError as error:
            if error.errno in _NO_NAMELESS:
                return False
            raise
    else:
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, at_first)
    try:
        _send(descriptor, data, None)
        made = os.fstat(descriptor)
        if owner is not None and owner != (made.st_uid, made.st_gid):
            os.fchown(descriptor, *owner)
        if mode is not None:
            os.fchmod(descriptor, mode)
        if durable:
            os.fsync(descriptor)
        return not nameless or _name(descriptor, half)
    except BaseException:
        if not nameless:
            with suppress(OSError):
                half.unlink()
        raise
    finally:
        os.close(descriptor)


def _name(descriptor: int, half: Path) -> bool:
    """Give a file without a name its first one; False where that can't be, as without /proc."""
    try:
        # The number of a directory, which an absolute path has no need of, makes it linkat(2): it can follow.
        os.link(f"/proc/self/fd/{descriptor}", half, src_dir_fd=descriptor, follow_symlinks=True)
    except OSError as error:
        if error.errno in _NO_NAMELESS:
            return False
        raise
    return True


def _overwrite(path: Path, data: bytes) -> None:
    """Write a regular file in place. Its space is taken first: on a full disk its content stays."""
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        size = os.fstat(descriptor).st_size
        if len(data) > size:
            try:
                os.posix_fallocate(descriptor, size, len(data) - size)
            except OSError as error:
                os.ftruncate(descriptor, size)
                if error.errno not in {errno.EOPNOTSUPP, errno.EINVAL}:
                    raise
        _send(descriptor, data, None)
        os.ftruncate(descriptor, len(data))
    finally:
        os.close(descriptor)


def _feed(path: Path, data: bytes) -> None:
    """Write to a pipe or a device."""
    ends = time.monotonic() + PATIENCE_S
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            break
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if not path.is_fifo():
                raise OSError(errno.ENXIO, "is a socket, or a device that is not there") from error
            if time.monotonic() >= ends:
                raise OSError(errno.ENXIO, f"is a pipe, and nobody reads from it ({PATIENCE_S:g} s)") from error
            time.sleep(0.05)
    try:
        _send(descriptor, data, STALL_S)
    finally:
        os.close(descriptor)


def _send(descriptor: int, data: bytes, stall_s: float | None) -> None:
    """Write all of it. ``stall_s`` bounds how long nobody may read; None waits."""
    rest = memoryview(data)
    poller = select.poll()
    poller.register(descriptor, select.POLLOUT)
    while rest:
        if stall_s is not None and not poller.poll(stall_s * 1000):
            raise OSError(errno.ETIMEDOUT, f"nobody reads on from it ({stall_s:g} s)")
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            # Somebody shares our stdout and made it non-blocking.
            poller.poll(1000)
