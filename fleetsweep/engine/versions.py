"""Who answered, and the version of the API to speak with it: by the headers that every answer has."""

from __future__ import annotations

import re
from typing import Final

from fleetsweep.engine.http11 import Response
from fleetsweep.errors import EngineError
from fleetsweep.model.survey import Engine

OLDEST_API: Final = (1, 24)
NEWEST_API: Final = (1, 44)
"""The newest version that is asked for: engines that speak a newer one still speak this."""

OLDEST_LIBPOD: Final = 4
"""The first major version of Podman's own API whose removal takes a stop time-out."""


def engine_of(answer: Response, via: str) -> Engine:
    """Who answered, by the headers that every answer has. Raises EngineError."""
    server = answer.headers.get("server", "")[:200]
    version = _negotiate(answer.headers.get("api-version", ""), server)
    return Engine("podman" if server.startswith("Libpod") else "docker", server, version, via)


def libpod_of(answer: Response) -> str:
    """The version of Podman's own API, where the engine speaks one that takes a stop time-out; else empty."""
    found = re.fullmatch(r"(\d{1,3})\.\d{1,3}\.\d{1,3}", answer.headers.get("libpod-api-version", ""), re.ASCII)
    return found[0] if found is not None and int(found[1]) >= OLDEST_LIBPOD else ""


def _negotiate(offered: str, server: str) -> str:
    """The API version to speak: the engine's own, or the newest that is known here. Raises EngineError."""
    found = re.fullmatch(r"(\d{1,3})\.(\d{1,3})", offered, re.ASCII)
    if found is None:
        raise EngineError(
            "not-an-engine",
            f"it answered without a usable Api-Version ({offered[:20]!r})",
            "check which service answers at the engine's address",
        )
    newest = (int(found[1]), int(found[2]))
    if newest < OLDEST_API or newest[0] != 1:
        raise EngineError(
            "api-version",
            f"{server or 'the engine'} speaks API {offered}; {OLDEST_API[0]}.{OLDEST_API[1]} or a newer 1.x is needed",
            "update the engine on the box" if newest < OLDEST_API else "update fleetsweep",
        )
    major, minor = min(newest, NEWEST_API)
    return f"{major}.{minor}"
