"""Reading one file of an inventory: regular, of a bounded size, UTF-8, and told of if anybody may write it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from fleetsweep.errors import InventoryError

SIZE_LIMIT: Final = 64 * 1024 * 1024
VAULT_HEADER: Final = "$ANSIBLE_VAULT"


class Warnings:
    """What an operator should know and nothing refuses, each said once."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}

    def add(self, where: str, message: str) -> None:
        """Say this of a file."""
        self._said[f"{where}: {message}"] = None

    def writable(self, path: Path, status: os.stat_result | None = None) -> None:
        """Warn if everybody may write there: whoever does decides where this tool goes, and as whom."""
        try:
            mode = (status or path.stat()).st_mode
        except OSError:
            return
        if mode & stat.S_IWOTH:
            self.add(str(path), "everyone may write it: chmod o-w")

    def all(self) -> tuple[str, ...]:
        """Every warning so far, in order."""
        return tuple(self._said)


def read_text(path: Path, warnings: Warnings) -> str:
    """A file's text, without a byte order mark. Raises InventoryError."""
    try:
        # A pipe or a terminal would keep us waiting.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise InventoryError(str(path), "is not a regular file")
            content = file.read(SIZE_LIMIT + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InventoryError(str(path), f"{reason}: check that you may read it") from error
    if len(content) > SIZE_LIMIT:
        raise InventoryError(str(path), f"is larger than {SIZE_LIMIT // 1024 // 1024} MiB")
    warnings.writable(path, status)
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InventoryError(f"{path}:{line}", "is not UTF-8 text: convert it") from error
