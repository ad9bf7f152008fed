"""Hiding passwords where variables are shown.

An Ansible inventory often holds a password that fleetsweep has no use for. It must not come to stand in a terminal's
history, a CI job's log or a bug report because somebody asked which hosts there are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

MASK: Final = "********"

_SECRET: Final = re.compile(
    r"(?:.*[_-])?(?:pass|passwd|password|passphrase|secret|secrets|token|credentials?)(?:[_-].*)?"
    r"|.*(?:private|secret|access|api)[_-]?key",
    re.IGNORECASE,
)


def masked(variables: Mapping[str, object]) -> dict[str, object]:
    """The variables with a mask for each value whose name says that it is a secret, at any depth."""
    return {name: _masked(name, value) for name, value in variables.items()}


def _masked(name: object, value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _masked(key, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(name, item) for item in value]
    # What is empty, or only a switch, tells nothing.
    if value is None or value == "" or isinstance(value, bool):
        return value
    return MASK if isinstance(name, str) and _SECRET.fullmatch(name) else value
