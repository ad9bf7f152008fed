"""Putting a schedule's files where they belong: all of them or none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from fleetsweep.errors import UsageError
from fleetsweep.runtime.files import open_regular, replace
from fleetsweep.schedule.render import File


def write(files: Sequence[File], directory: Path, *, force: bool) -> list[str]:
    """Write the files, and answer a line for each. Raises UsageError, having written none, where one is in the way.

    A file that says the same already is left alone; one that says something else is replaced only with ``force``.
    """
    for path in (directory / file.name for file in files):
        if path.exists() and not path.is_symlink() and not path.is_file():
            raise UsageError(f"{path}: is no file that could be replaced: nothing was written")
    unlike = [file for file in files if not _same(directory / file.name, file.text)]
    taken = [str(directory / file.name) for file in unlike if os.path.lexists(directory / file.name)]
    if taken and not force:
        raise UsageError(
            f"{', '.join(taken)}: there already, and it says something else: nothing was written; --force replaces it"
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for file in unlike:
            # systemd and cron may look at any time.
            replace(directory / file.name, file.text, mode=0o644, durable=True)
    except OSError as error:
        raise UsageError(f"{error.filename or directory}: {error.strerror}") from error
    return [
        f"{directory / file.name}: {'written' if file in unlike else 'was there already, the same'}" for file in files
    ]


def _same(path: Path, text: str) -> bool:
    try:
        with open_regular(path) as file:
            return not path.is_symlink() and file.read() == text.encode()
    except OSError:
        return False
