"""Value types that Ansible adds to YAML, and the conversion of values to JSON."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True)
class VaultValue:
    """A value that Ansible Vault encrypted. It is an error only if the value is needed."""

    ciphertext: str = field(repr=False)


class AmbiguousOrigin(str):
    """The ``path:line`` of a variable with a duplicate key in it. It is an error only if it is used."""

    reason: str

    def __new__(cls, origin: str, reason: str = "") -> Self:
        """Return the origin; ``reason`` names the key and its first line."""
        made = super().__new__(cls, origin)
        made.reason = reason
        return made


class UnsafeText(str):
    """Text marked ``!unsafe``: Ansible never renders it, even if it looks like a template."""

    __slots__ = ()


def unsafe(value: object) -> object:
    """Return the value with all text in it marked unsafe, except keys."""
    if isinstance(value, str):
        return UnsafeText(value)
    if isinstance(value, dict):
        return {key: unsafe(item) for key, item in value.items()}
    return [unsafe(item) for item in value] if isinstance(value, list) else value


def jsonable(value: object) -> object:
    """Return the value as ``ansible-inventory --list`` prints it: dates as ISO text, a vaulted value as an object."""
    if isinstance(value, VaultValue):
        return {"__ansible_vault": value.ciphertext}
    if isinstance(value, Mapping):
        return {_key(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    return value


def _key(key: object) -> str | int | float | bool | None:
    return key if key is None or isinstance(key, (str, int, float, bool)) else str(key)
