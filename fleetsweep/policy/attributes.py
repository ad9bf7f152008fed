"""The labels that show where a container came from: which of them are kept in reports and in the journal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

ATTRIBUTES: Final = (
    "org.opencontainers.image.source",
    "com.docker.compose.project",
    "fleetsweep.owner",
)
"""The default label keys."""

VALUE_LIMIT: Final = 200
"""Characters that are kept of a value."""


def attributes_of(labels: Mapping[str, str] | None, keys: Iterable[str]) -> dict[str, str]:
    """Return those of the labels that ``keys`` names, with secrets masked and long values cut."""
    found = {key: labels[key] for key in keys if key in labels} if labels else {}
    if not found:
        return {}
    # Its patterns take longer to compile than most runs take to judge their containers.
    from fleetsweep.model.secrets import redacted

    return {key: redacted(key, value)[:VALUE_LIMIT] for key, value in found.items()}
