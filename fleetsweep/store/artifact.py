"""Files that fleetsweep writes for itself and reads back: JSON with a schema and a digest, readable to nobody else.

Reading raises TypeError or ValueError where a value is not what it should be: callers say what is damaged.
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
"""Bytes. A plan of 100 containers on each of 5,000 hosts is half of it."""

_FULL_ID: Final = 64
_INT64: Final = 2**63 - 1

JsonObject = dict[str, object]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of document: ``name`` and ``flag`` are for messages, ``remedy`` is how to make a new one."""

    name: str
    version: int
    flag: str
    remedy: str

    @property
    def schema(self) -> str:
        """As the document tells it."""
        return f"fleetsweep.{self.name}/{self.version}"

    def check_target(self, path: Path, flag: str) -> None:
        """Raise UsageError unless one may be written to ``path``: a new file, or one that holds such a document."""
        if not path.parent.is_dir():
            raise UsageError(f"{flag}: {path.parent} is not a directory")
        if not os.access(path.parent, os.W_OK | os.X_OK, effective_ids=True):
            raise UsageError(f"{flag}: {path}: its directory can't be written to, and a {self.name} is replaced whole")
        if not path.exists() and not path.is_symlink():
            return
        try:
            holds_one = path.is_file() and not path.is_symlink() and self._is_in(path)
        except OSError as error:
            raise UsageError(f"{flag}: {path}: {error.strerror}") from error
        if not holds_one:
            raise UsageError(f"{flag}: {path} is there and is not a {self.name}: name another file")

    def _is_in(self, path: Path) -> bool:
        """Whether a file begins as one of any version does."""
        with files.open_regular(path) as file:
            return file.read(200).startswith(f'{{\n "schema": "fleetsweep.{self.name}/'.encode())

    def dump(self, body: JsonObject) -> str:
        """The document, with its digest as the last key."""
        whole = {"schema": self.schema, **body}
        return json.dumps({**whole, "digest": _digest(whole)}, indent=1, ensure_ascii=True, allow_nan=False) + "\n"

    def save(self, body: JsonObject, path: Path, flag: str) -> None:
        """Write it, mode 0600, whole or not at all. Raises OSError, or UsageError as ``check_target`` does."""
        self.check_target(path, flag)
        files.replace(path, self.dump(body), mode=0o600, durable=True)

    def load(self, path: Path) -> JsonObject:
        """Read one back, without its digest. Raises UsageError unless it is whole and nobody else could change it."""
        where = f"{self.name} {path}"
        text = self._read(path, where)
        try:
            document = json.loads(
                text,
                object_pairs_hook=_each_key_once,
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
            raise self.damaged(path, "its content does not fit its digest, so it was changed after it was made")
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
                f"{where} can be changed by others: make a new one, or look at it and chmod 600 {files.pasted(path)}"
            )
        if len(text) > SIZE_LIMIT:
            raise UsageError(f"{where} is larger than {SIZE_LIMIT // 2**20} MiB")
        return text

    def damaged(self, path: Path, what: str) -> UsageError:
        """The error of a document that can't be used as it is."""
        return UsageError(f"{self.name} {path} is damaged: {what}: {self.remedy}")


def _each_key_once(pairs: list[tuple[str, object]]) -> JsonObject:
    """One JSON object. Of a key that stands twice, each reader would believe another value."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _int64(text: str) -> int:
    """A whole number that a database can hold. A longer one would be trouble wherever it is counted with or shown."""
    number = int(text) if len(text) <= 20 else _INT64 + 1
    if not -_INT64 <= number <= _INT64:
        raise ValueError(f"{text[:25]} is too large")
    return number


def _finite(text: str) -> float:
    """A finite number: NaN is neither over nor under any limit."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:25]} is not finite")
    return number


def _digest(body: Mapping[str, object]) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(canonical.encode("ascii")).hexdigest()


def as_object(value: object) -> JsonObject:
    """A JSON object."""
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def as_list(value: object) -> list[object]:
    """A JSON array."""
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def as_text(value: object) -> str:
    """A JSON string."""
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def as_optional_text(value: object) -> str | None:
    """A JSON string or null."""
    return None if value is None else as_text(value)


def as_whole(value: object) -> int:
    """A JSON number without a fraction."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not a whole number")
    return value


def as_bool(value: object) -> bool:
    """A JSON true or false."""
    if not isinstance(value, bool):
        raise TypeError("neither true nor false")
    return value


def as_count(value: object) -> int:
    """A JSON number that counts something."""
    number = as_whole(value)
    if number < 0:
        raise ValueError("below zero")
    return number


def as_number(value: object) -> float:
    """A JSON number."""
    return value if isinstance(value, float) else float(as_whole(value))


def as_scalar(value: object) -> int | float | str:
    """A JSON number or string."""
    return value if isinstance(value, (str, float)) else as_whole(value)


def as_full_id(value: object) -> str:
    """64 hex digits."""
    text = as_text(value)
    if len(text) != _FULL_ID or not set(text) <= set("0123456789abcdef"):
        raise ValueError("not 64 hex digits")
    return text
