"""Plans and baselines on disk: JSON with a schema and a digest, readable by their owner alone.

The ``as_…`` functions check a decoded value's type. They raise TypeError or ValueError, and callers name the file.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleetsweep.errors import UsageError
from fleetsweep.runtime import files

SIZE_LIMIT: Final = 512 * 1024 * 1024
"""Bytes. A plan of 100 containers on each of 5,000 hosts takes half of it."""

_FULL_ID: Final = 64
_INT64: Final = 2**63 - 1

JsonObject = dict[str, object]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of document. ``name`` and ``flag`` are for messages; ``remedy`` is how to make a new one."""

    name: str
    version: int
    flag: str
    remedy: str

    @property
    def schema(self) -> str:
        """The value of the document's ``schema`` key."""
        return f"fleetsweep.{self.name}/{self.version}"

    def check_target(self, path: Path, flag: str) -> None:
        """Raise UsageError unless ``path`` may be written: a new file, or one that holds a document of this kind."""
        if not path.parent.is_dir():
            raise UsageError(f"{flag}: {path.parent} is not a directory")
        if not os.access(path.parent, os.W_OK | os.X_OK, effective_ids=True):
            raise UsageError(
                f"{flag}: {path.parent} is not writable: a {self.name} is written to a new file, then renamed"
            )
        if not path.exists() and not path.is_symlink():
            return
        try:
            replaceable = path.is_file() and not path.is_symlink() and self._is_in(path)
        except OSError as error:
            raise UsageError(f"{flag}: {path}: {error.strerror}") from error
        if not replaceable:
            raise UsageError(f"{flag}: {path} exists and is not a {self.name}: name another file")

    def _is_in(self, path: Path) -> bool:
        """Return whether a file begins like a document of this kind, of any version."""
        with files.open_regular(path) as file:
            return file.read(200).startswith(f'{{\n "schema": "fleetsweep.{self.name}/'.encode())

    def dump(self, body: JsonObject) -> str:
        """Return the document as JSON, with its digest as the last key."""
        whole = {"schema": self.schema, **body}
        return json.dumps({**whole, "digest": _digest(whole)}, indent=1, ensure_ascii=True, allow_nan=False) + "\n"

    def save(self, body: JsonObject, path: Path, flag: str) -> None:
        """Write the document, mode 0600, whole or not at all. Raises OSError, and UsageError as ``check_target``."""
        self.check_target(path, flag)
        files.replace(path, self.dump(body), mode=0o600, durable=True)

    def load(self, path: Path) -> JsonObject:
        """Read a document, without its digest.

        Raises UsageError where it is damaged, changed, of another schema, or writable by others.
        """
        where = f"{self.name} {path}"
        text = self._read(path, where)
        try:
            document = json.loads(
                text,
                object_pairs_hook=_without_duplicates,
                parse_int=_int64,
                parse_float=_finite,
                parse_constant=_finite,
            )
        except (ValueError, RecursionError) as error:
            raise self.damaged(path, f"it is not whole JSON with finite numbers ({str(error)[:100]})") from error
        if not isinstance(document, dict) or not str(document.get("schema", "")).startswith(f"fleetsweep.{self.name}/"):
            raise UsageError(f"{where} is not a {self.name}: {self.remedy}")
        if document["schema"] != self.schema:
            raise UsageError(
                f"{where} has schema {document['schema']!r}, this version reads {self.schema}: make a new one"
            )
        digest = document.pop("digest", None)
        try:
            fits = digest == _digest(document)
        except RecursionError as error:
            raise self.damaged(path, "it is nested too deeply") from error
        if not fits:
            raise self.damaged(path, "its digest does not match: it was changed after it was made")
        return document

    def _read(self, path: Path, where: str) -> bytes:
        try:
            with files.open_regular(path) as file:
                found = os.fstat(file.fileno())
                text = file.read(SIZE_LIMIT + 1)
        except OSError as error:
            raise UsageError(f"{where}: {error.strerror}: check {self.flag}") from error
        if found.st_uid not in {os.geteuid(), 0} or stat.S_IMODE(found.st_mode) & 0o022:
            raise UsageError(
                f"{where} can be changed by others: make a new one, or check it and chmod 600 {files.quoted(path)}"
            )
        if len(text) > SIZE_LIMIT:
            raise UsageError(f"{where} is larger than {SIZE_LIMIT // 2**20} MiB")
        return text

    def damaged(self, path: Path, what: str) -> UsageError:
        """Return the error for a document that can't be used."""
        return UsageError(f"{self.name} {path} is damaged: {what}: {self.remedy}")


def _without_duplicates(pairs: list[tuple[str, object]]) -> JsonObject:
    """Return a JSON object. Raises ValueError for a duplicate key: readers differ in which value they take."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _int64(text: str) -> int:
    """Return an integer that fits SQLite's 64 bits. Raises ValueError."""
    number = int(text) if len(text) <= 20 else _INT64 + 1
    if not -_INT64 <= number <= _INT64:
        raise ValueError(f"{text[:25]} is too large")
    return number


def _finite(text: str) -> float:
    """Return a finite number. Raises ValueError: NaN would pass every limit."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:25]} is not finite")
    return number


def _digest(body: Mapping[str, object]) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(canonical.encode("ascii")).hexdigest()


def as_object(value: object) -> JsonObject:
    """Return a JSON object. Raises TypeError."""
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def as_list(value: object) -> list[object]:
    """Return a JSON array. Raises TypeError."""
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def as_str(value: object) -> str:
    """Return a JSON string. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def as_optional_str(value: object) -> str | None:
    """Return a JSON string or null. Raises TypeError."""
    return None if value is None else as_str(value)


def as_int(value: object) -> int:
    """Return a JSON integer. Raises TypeError."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not an integer")
    return value


def as_bool(value: object) -> bool:
    """Return a JSON boolean. Raises TypeError."""
    if not isinstance(value, bool):
        raise TypeError("not a boolean")
    return value


def as_count(value: object) -> int:
    """Return an integer of 0 or more. Raises TypeError or ValueError."""
    number = as_int(value)
    if number < 0:
        raise ValueError("negative count")
    return number


def as_float(value: object) -> float:
    """Return a JSON number as a float. Raises TypeError."""
    return value if isinstance(value, float) else float(as_int(value))


def as_scalar(value: object) -> int | float | str:
    """Return a JSON number or string. Raises TypeError."""
    return value if isinstance(value, (str, float)) else as_int(value)


def as_full_id(value: object) -> str:
    """Return a full id: 64 hex digits. Raises TypeError or ValueError."""
    text = as_str(value)
    if len(text) != _FULL_ID or not set(text) <= set("0123456789abcdef"):
        raise ValueError("not 64 hex digits")
    return text
