"""Read group_vars/ and host_vars/ beside an inventory, or in the working directory.

https://docs.ansible.com/ansible/latest/collections/ansible/builtin/host_group_vars_vars.html
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.files import VAULT_HEADER, Warnings, read_text
from fleetsweep.inventory.graph import Layer
from fleetsweep.inventory.yaml_text import parse

_SUFFIXES: Final = (".yml", ".yaml", ".json")
_DEPTH_LIMIT: Final = 20
_FILE_LIMIT: Final = 10_000


class VariableFiles:
    """One directory's group_vars/ and host_vars/. Each file is read once, when it is first needed."""

    def __init__(self, base: Path, warnings: Warnings) -> None:
        self._base = base
        self._warnings = warnings
        self._names: dict[str, frozenset[str]] = {}
        self._read: dict[Path, Layer] = {}

    def of_group(self, name: str) -> Sequence[Layer]:
        """Return the variables that files set for a group. Raises InventoryError."""
        return self._of("group_vars", name)

    def of_host(self, name: str) -> Sequence[Layer]:
        """Return the variables that files set for a host. Raises InventoryError."""
        return self._of("host_vars", name)

    def _of(self, kind: str, name: str) -> Sequence[Layer]:
        names = self._names.get(kind)
        if names is None:
            names = self._names[kind] = self._listing(kind)
        for suffix in ("", *_SUFFIXES):
            if name + suffix not in names:
                continue
            path = self._base / kind / (name + suffix)
            if not path.exists():
                continue
            # Only the first that exists is read.
            return [self._layer(file) for file in (_files_in(path) if path.is_dir() else [path])]
        return ()

    def _listing(self, kind: str) -> frozenset[str]:
        path = self._base / kind
        try:
            if not path.exists():
                return frozenset()
            if not path.is_dir():
                self._warnings.add(str(path), "is not a directory: no variables are read from it")
                return frozenset()
            self._warnings.writable(self._base)
            self._warnings.writable(path)
            return frozenset(entry.name for entry in path.iterdir())
        except OSError as error:
            raise InventoryError(str(path), f"{error.strerror}: check that you may read it") from error

    def _layer(self, path: Path) -> Layer:
        known = self._read.get(path)
        if known is None:
            known = self._read[path] = self._layer_of(path)
        return known

    def _layer_of(self, path: Path) -> Layer:
        text = read_text(path, self._warnings)
        if text.startswith(VAULT_HEADER):
            self._warnings.encrypted(path)
            return {}, {}
        document = parse(text, str(path))
        self._warnings.duplicates(document)
        values = document.value
        if not values:
            return {}, {}
        if not isinstance(values, dict):
            raise InventoryError(str(path), "is not a mapping of variables: write key: value")
        return (
            {str(key): value for key, value in values.items()},
            {str(key): document.origin(values, key) for key in values},
        )


def _files_in(path: Path, depth: int = 0) -> list[Path]:
    """Return a directory's variable files in the order in which they apply. Raises InventoryError."""
    if depth > _DEPTH_LIMIT:
        raise InventoryError(str(path), f"directories are nested more than {_DEPTH_LIMIT} deep")
    found: list[Path] = []
    try:
        entries = sorted(path.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        raise InventoryError(str(path), f"{error.strerror}: check that you may read it") from error
    for entry in entries:
        if entry.name.startswith(".") or entry.name.endswith("~"):
            continue
        if entry.is_dir() and not entry.suffix:
            found += _files_in(entry, depth + 1)
        elif entry.is_file() and entry.suffix in {"", *_SUFFIXES}:
            found.append(entry)
        if len(found) > _FILE_LIMIT:
            raise InventoryError(str(path), f"has more than {_FILE_LIMIT} files")
    return found
