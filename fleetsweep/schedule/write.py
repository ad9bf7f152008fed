"""Writing a schedule's files: all of them or none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from fleetsweep.errors import UsageError
from fleetsweep.runtime.files import open_regular, replace
from fleetsweep.schedule.render import File


def write(files: Sequence[File], directory: Path, *, force: bool, ways_out: str = "--force replaces it") -> list[str]:
    """Write the files and return a line about each.

    A file with the same content is left alone; one with other content is replaced only with ``force``. Raises
    UsageError, before anything is written, where a file can't be replaced; it names the ``ways_out``.
    """
    for path in (directory / file.name for file in files):
        if path.exists() and not path.is_symlink() and not path.is_file():
            raise UsageError(f"{path} is not a regular file: nothing was written")
    changed = [file for file in files if not _has_content(directory / file.name, file.text)]
    existing = [str(directory / file.name) for file in changed if os.path.lexists(directory / file.name)]
    if existing and not force:
        raise UsageError(f"{', '.join(existing)}: exists with other content: nothing was written; {ways_out}")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for file in changed:
            # Replaced atomically: systemd and cron may read it at any time.
            replace(directory / file.name, file.text, mode=0o600 if file.secret else 0o644, durable=True)
        for file in files:
            if file.secret:
                (directory / file.name).chmod(0o600)
    except OSError as error:
        raise UsageError(f"{error.filename or directory}: {error.strerror}") from error
    return [
        f"{directory / file.name}: {'written' if file in changed else 'already there with the same content'}"
        for file in files
    ]


def _has_content(path: Path, text: str) -> bool:
    try:
        with open_regular(path) as file:
            return not path.is_symlink() and file.read() == text.encode()
    except OSError:
        return False
