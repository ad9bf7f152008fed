"""What a variable may be besides text, numbers, lists and mappings, and how it is shown."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class VaultValue:
    """A value that Ansible Vault encrypted. It is an error only where the value is needed."""

    ciphertext: str = field(repr=False)


class UnsafeText(str):
    """Text that Ansible is told never to render (``!unsafe``), however much it looks like a template."""

    __slots__ = ()


def unsafe(value: object) -> object:
    """The value with all text in it unsafe. Keys stay as they are."""
    if isinstance(value, str):
        return UnsafeText(value)
    if isinstance(value, dict):
        return {key: unsafe(item) for key, item in value.items()}
    return [unsafe(item) for item in value] if isinstance(value, list) else value


def jsonable(value: object) -> object:
    """The value as ``ansible-inventory --list`` writes it: dates as ISO text, a vaulted value under its own key."""
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
