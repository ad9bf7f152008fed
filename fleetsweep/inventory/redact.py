"""Redact secrets where variables are printed.

An Ansible inventory often holds passwords that fleetsweep does not need. Listing the hosts must not put them into a
terminal's scrollback, a CI job's log or a bug report.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from fleetsweep.model.redact import MASK
from fleetsweep.model.secrets import names_secret

__all__ = ["MASK", "masked"]

_COMMAND: Final = re.compile(r"proxy-?_?command|sshpass", re.IGNORECASE)
"""A value that matches holds a command, which may hold a password."""

_TEMPLATE: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_HARMLESS: Final = re.compile(r"ansible_(?:ssh_)?(?:host|port|user)")


def masked(variables: Mapping[str, object]) -> dict[str, object]:
    """Return the variables with each value that may be a secret masked, at any depth.

    Masked are a value whose name suggests a secret, a text with a ProxyCommand, and variables that its templates use.
    """
    in_commands = _used_in_commands(variables)
    return {
        name: _masked(name, value) if name not in in_commands else _all_masked(value)
        for name, value in variables.items()
    }


def _used_in_commands(variables: Mapping[str, object]) -> frozenset[str]:
    """Return the variables whose values end up in a command."""
    todo = [name for name, value in variables.items() if any(map(_COMMAND.search, _texts(value)))]
    todo += [name for name in variables if _COMMAND.search(name)]
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        for text in _texts(variables[name]):
            for template in _TEMPLATE.findall(text):
                todo += [each for each in _NAME.findall(template) if each in variables and not _HARMLESS.match(each)]
    return frozenset(found)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _all_masked(value: object) -> object:
    return value if value is None or value == "" or isinstance(value, bool) else MASK


def _masked(name: object, value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _masked(key, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(name, item) for item in value]
    # An empty value or a boolean reveals nothing.
    if value is None or value == "" or isinstance(value, bool):
        return value
    return MASK if isinstance(name, str) and names_secret(name) else value
