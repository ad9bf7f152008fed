"""Read one inventory file: regular, of a bounded size, UTF-8; with a warning if it is world-writable."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fleetsweep.errors import InventoryError
from fleetsweep.runtime.files import open_descriptor

if TYPE_CHECKING:
    from fleetsweep.inventory.yaml_text import Document

SIZE_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of one file."""
VAULT_HEADER: Final = "$ANSIBLE_VAULT"
_PATHS: Final = 5
"""The most files that a warning about several of them names."""


class Warnings:
    """Warnings about files, each reported once."""

    def __init__(self) -> None:
        self._messages: dict[str, None] = {}
        self._encrypted: dict[str, None] = {}

    def add(self, where: str, message: str) -> None:
        """Add a warning about a file."""
        self._messages[f"{where}: {message}"] = None

    def writable(self, path: Path, status: os.stat_result | None = None) -> None:
        """Warn if a path is world-writable: any local user could then choose the hosts and the login user."""
        try:
            mode = (status or path.stat()).st_mode
        except OSError:
            return
        if mode & stat.S_IWOTH:
            self.add(str(path), "is world-writable: chmod o-w")

    def duplicates(self, document: Document) -> None:
        """Warn about the duplicate keys of a document that no reader refused."""
        warning = document.duplicate_warning()
        if warning is not None:
            self.add(*warning)

    def encrypted(self, path: Path) -> None:
        """Warn about a variable file that Ansible Vault encrypted; one warning names all of them."""
        self._encrypted[str(path)] = None

    def all(self) -> tuple[str, ...]:
        """Return every warning so far, in order; last the one about encrypted files."""
        return (*self._messages, *self._about_encrypted())

    def _about_encrypted(self) -> Sequence[str]:
        if not self._encrypted:
            return ()
        first, *others = self._encrypted
        if not others:
            return (f"{first}: is encrypted with Ansible Vault: its variables are ignored",)
        paths = ", ".join([first, *others[: _PATHS - 1]])
        more = f" and {len(others) + 1 - _PATHS} more" if len(others) >= _PATHS else ""
        count = len(self._encrypted)
        return (f"{count} files are encrypted with Ansible Vault: their variables are ignored: {paths}{more}",)


def read_text(path: Path, warnings: Warnings) -> str:
    """Return a file's text, without a byte order mark. Raises InventoryError."""
    try:
        descriptor = open_descriptor(path)
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
