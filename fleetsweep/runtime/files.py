"""Write files atomically. Reports, plans, baselines, metrics and schedules are all written here.

A regular file is replaced by a new one that is complete before it gets the name. A pipe or a device is written to and
never replaced. Errors are OSErrors whose ``strerror`` is for people and whose ``filename`` is the path as given.
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
"""Seconds to wait for a reader to open a pipe."""

STALL_S: Final = 30.0
"""Seconds that the reader of a pipe may leave it full."""

_MOST_LINKS: Final = 40
_IN_PLACE: Final = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY}
"""Errors of a directory that accepts no new file, or of a file that can be written but not replaced."""
_NO_ANONYMOUS: Final = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.ENOSYS} | {
    *(errno.EPERM, errno.EXDEV, errno.EMLINK)
}
"""Errors of a system that can't create a file without a name, or can't name it later."""

_DATABASE: Final = b"SQLite format 3\0"
"""The first bytes of a database file: https://www.sqlite.org/fileformat.html#magic_header_string."""


def replace(path: Path, content: str | bytes, *, mode: int, durable: bool = False) -> None:
    """Replace one of fleetsweep's own files atomically, with exactly ``mode``. Raises OSError.

    A symlink at ``path`` is replaced, not followed. ``durable`` content is on the disk when this returns.
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
    """Write ``content`` to an operator's path as a shell's ``>`` would, but atomically. Raises OSError.

    Symlinks are followed, as far as the kernel's protected_symlinks rule allows. A regular file keeps its mode and
    owner; a new one gets the umask's. If only the file itself may be written, it is written in place.
    """
    with _named(path):
        data = _bytes(content)
        target = _sent_or_target(path, data)
        if target is None:
            return
        place, found = target
        if found is None:
            _replace(place, data, None, None)
        else:
            _update(place, found, data)


def append(path: Path, content: str | bytes) -> None:
    """Append ``content``, all of it or nothing. Raises OSError."""
    with _named(path):
        data = _bytes(content)
        target = _sent_or_target(path, data)
        if target is None:
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        descriptor = os.open(target[0], flags, 0o666)
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


def open_descriptor(path: Path) -> int:
    """Open a file for reading and return its descriptor. Never waits for the writer of a pipe. Raises OSError."""
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)


def open_regular(path: Path) -> io.BufferedReader:
    """Open a regular file for reading. Never waits for the writer of a pipe. Raises OSError."""
    with _named(path):
        descriptor = open_descriptor(path)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "is not a file")
        return os.fdopen(descriptor, "rb")


def quoted(path: Path | str) -> str:
    """Return a path as one word of a shell command, with ``~`` expanded, which no shell expands in quotes."""
    return shlex.quote(expanded(path))


def expanded(path: Path | str) -> str:
    """Return a path with ``~`` expanded; that of an unknown user is left unchanged."""
    return os.path.expanduser(path)  # noqa: PTH111


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Make errors name the path as given, and never a temporary one."""
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
    """Resolve the symlinks at ``path`` to a path that is no link, or to one of our descriptors, as for /dev/stdout.

    A link in a world-writable directory is followed only if it belongs to us or to the directory's owner. The kernel
    applies that rule when it follows links (proc_sys_fs(5), protected_symlinks), but here the links are read.
    """
    for _ in range(_MOST_LINKS):
        found = _lstat(path)
        if found is None or not stat.S_ISLNK(found.st_mode):
            return path
        parent = os.path.realpath(path.parent)
        if parent == os.path.realpath("/proc/self/fd"):
            number = int(path.name)
            # A descriptor that is not inheritable is an internal one, such as the journal's or a connection's.
            if not os.get_inheritable(number):
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            return number
        if parent.startswith("/proc/"):
            raise OSError(errno.EINVAL, "is another process's open file")
        holder = path.parent.stat()
        if holder.st_mode & stat.S_IWOTH and found.st_uid not in {os.geteuid(), holder.st_uid}:
            raise OSError(errno.EACCES, "is a symlink of another user in a world-writable directory")
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _sent_or_target(path: Path, data: bytes) -> tuple[Path, os.stat_result | None] | None:
    """Return the regular file that ``path`` leads to, and its state if it exists.

    Return None if it leads to an open descriptor, a pipe or a device: ``data`` was sent there. Raises OSError.
    """
    place = _followed(path)
    if isinstance(place, int):
        _send(place, data, None)
        return None
    found = _lstat(place)
    if found is None or stat.S_ISREG(found.st_mode):
        if found is not None and found.st_size:
            _refuse_database(place)
        return place, found
    if stat.S_ISDIR(found.st_mode):
        raise OSError(errno.EISDIR, "is a directory")
    _feed(place, data)
    return None


def _refuse_database(path: Path) -> None:
    """Raise OSError for a database: it may be the journal, and the holds in it would be lost."""
    try:
        with open_regular(path) as opened:
            head = opened.read(len(_DATABASE))
    except OSError:
        # What may be written need not be readable.
        return
    if head == _DATABASE:
        raise OSError(errno.EEXIST, "is a database, such as fleetsweep's journal")


def _update(path: Path, found: os.stat_result, data: bytes) -> None:
    """Replace the content of a regular file and keep its mode and owner."""
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
    """Make ``path`` name a new file, which until then has no name, or a random one where that is not possible."""
    # Unlike the target's name, so that node-exporter, cron and systemd don't take it for one of their files.
    half = path.with_name(f".fleetsweep-{secrets.token_hex(8)}")
    if not _make(half, data, mode, owner, durable=durable, anonymous=True):
        _make(half, data, mode, owner, durable=durable, anonymous=False)
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
    half: Path, data: bytes, mode: int | None, owner: tuple[int, int] | None, *, durable: bool, anonymous: bool
) -> bool:
    """Create a complete new file at ``half``, or none. Raises OSError.

    ``anonymous`` names it only once it is complete, so that even SIGKILL leaves nothing behind. Return False where the
    system can't do that.
    """
    at_first = 0o666 if mode is None else 0o600
    if anonymous:
        try:
            descriptor = os.open(half.parent, os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, at_first)
        except OSError as error:
            if error.errno in _NO_ANONYMOUS:
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
        return not anonymous or _name(descriptor, half)
    except BaseException:
        if not anonymous:
            with suppress(OSError):
                half.unlink()
        raise
    finally:
        os.close(descriptor)


def _name(descriptor: int, half: Path) -> bool:
    """Give an anonymous file its name. Return False if the system can't, as without /proc."""
    try:
        # An absolute path needs no src_dir_fd, but passing one makes Python call linkat(2), which can follow the link.
        os.link(f"/proc/self/fd/{descriptor}", half, src_dir_fd=descriptor, follow_symlinks=True)
    except OSError as error:
        if error.errno in _NO_ANONYMOUS:
            return False
        raise
    return True


def _overwrite(path: Path, data: bytes) -> None:
    """Write a regular file in place. Its space is allocated first, so that a full disk leaves the content intact."""
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
                raise OSError(errno.ENXIO, f"is a pipe without a reader (waited {PATIENCE_S:g} s)") from error
            time.sleep(0.05)
    try:
        _send(descriptor, data, STALL_S)
    finally:
        os.close(descriptor)


def _send(descriptor: int, data: bytes, stall_s: float | None) -> None:
    """Write all of it. ``stall_s`` is the longest that the reader may pause; None waits for ever."""
    rest = memoryview(data)
    poller = select.poll()
    poller.register(descriptor, select.POLLOUT)
    while rest:
        if stall_s is not None and not poller.poll(stall_s * 1000):
            raise OSError(errno.ETIMEDOUT, f"its reader stopped reading (waited {stall_s:g} s)")
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            # Another process that shares our stdout made it non-blocking.
            poller.poll(1000)
