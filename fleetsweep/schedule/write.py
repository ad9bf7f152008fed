"""Putting a schedule's files where they belong: all of them or none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fleetsweep.errors import UsageError
from fleetsweep.schedule.render import File


def write(files: Sequence[File], directory: Path, *, force: bool) -> list[str]:
    """Write the files, and answer a line for each. Raises UsageError, having written none, where one is in the way.

    A file that says the same already is left alone; one that says something else is replaced only with ``force``.
    """
    unlike = [file for file in files if not _same(directory / file.name, file.text)]
    taken = [str(directory / file.name) for file in unlike if os.path.lexists(directory / file.name)]
    if taken and not force:
        raise UsageError(
            f"{', '.join(taken)}: there already, and it says something else: nothing was written; --force replaces it"
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for file in unlike:
            _replace(directory / file.name, file.text)
    except OSError as error:
        raise UsageError(f"{error.filename or directory}: {error.strerror}") from error
    return [
        f"{directory / file.name}: {'written' if file in unlike else 'was there already, the same'}" for file in files
    ]


def _same(path: Path, text: str) -> bool:
    try:
        return not path.is_symlink() and path.read_bytes() == text.encode()
    except OSError:
        return False


def _replace(path: Path, text: str) -> None:
    """Have the whole text there or what was there before: systemd and cron may look at any time."""
    descriptor, name = tempfile.mkstemp(prefix=".fleetsweep-", dir=path.parent)
    half = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        half.chmod(0o644)
        half.replace(path)
    except BaseException:
        half.unlink(missing_ok=True)
        raise
