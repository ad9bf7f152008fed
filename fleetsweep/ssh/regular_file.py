"""Read a file that a configuration names: only a regular file, up to a size, and without ever blocking on it.

A named pipe without a writer, configured as one host's known_hosts, once held up every host of a run.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from fleetsweep.runtime import files

CONFIG_LIMIT: Final = 1 << 20
"""Bytes of one SSH configuration file, key, certificate or public key."""

KNOWN_HOSTS_LIMIT: Final = 64 << 20
"""Bytes of one known_hosts file."""


def expanded(name: str) -> Path:
    """Return the path with ``~`` expanded. ``~user`` of an unknown user stays as it is."""
    return Path(files.expanded(name))


def read_regular(path: Path, limit: int) -> bytes:
    """Return the file's content. ``/dev/null`` is an empty file, as for ssh.

    Raises OSError with a readable ``strerror``, also for what is no regular file or is larger than ``limit`` bytes.
    """
    descriptor = files.open_descriptor(path)
    with os.fdopen(descriptor, "rb") as file:
        check_regular(os.fstat(descriptor), limit)
        content = file.read(limit + 1)
    if len(content) > limit:
        raise _too_large(limit)
    return content


def check_regular(found: os.stat_result, limit: int) -> None:
    """Raise OSError unless this is a regular file of at most ``limit`` bytes, or ``/dev/null``."""
    if stat.S_ISREG(found.st_mode):
        if found.st_size > limit:
            raise _too_large(limit)
    elif not (stat.S_ISCHR(found.st_mode) and found.st_rdev == os.makedev(1, 3)):
        raise OSError(errno.EINVAL, "is not a regular file")


def _too_large(limit: int) -> OSError:
    return OSError(errno.EFBIG, f"is larger than {limit >> 20} MiB")
