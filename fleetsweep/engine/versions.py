"""The kind of engine and the API version to use with it, from a response's headers and its refusal of a version."""

from __future__ import annotations

import re
from typing import Final

from fleetsweep.engine.http11 import Response
from fleetsweep.errors import EngineError, FaultKind
from fleetsweep.model.survey import Engine

OLDEST_API: Final = (1, 24)
NEWEST_API: Final = (1, 51)
"""The newest API version that is used: the newest that `make compat` tests. Newer engines accept it, too."""

OLDEST_LIBPOD: Final = 4
"""The first major version of Podman's own API in which a removal accepts a stop timeout."""


_VERSION: Final = re.compile(r"(\d{1,3})\.(\d{1,3})", re.ASCII)

_TOO_OLD: Final = re.compile(
    r"client version \S{1,20} is too old\. Minimum supported API version is (\d{1,3}\.\d{1,3})\b", re.ASCII
)
"""The words with which every Docker Engine refuses a version below its minimum."""


def minimum_api(message: str) -> str:
    """Return the minimum API version that an engine names when it refuses an older one; empty for another message."""
    found = _TOO_OLD.search(message)
    return found[1] if found is not None else ""


def engine_of(response: Response, via: str, minimum: str = "") -> Engine:
    """Return the engine that sent a response, by its headers. Raises EngineError.

    ``minimum`` is the oldest API version that the engine accepts, if it has refused an older one.
    """
    server = response.headers.get("server", "")[:200]
    version = _negotiate(response.headers.get("api-version", ""), server)
    if minimum and _parse(minimum) > _parse(version):
        raise EngineError(
            FaultKind.API_VERSION,
            f"{server or 'the engine'} accepts API {minimum} and newer; this fleetsweep is tested up to API {version}",
            "update fleetsweep",
        )
    return Engine("podman" if server.startswith("Libpod") else "docker", server, version, via)


def libpod_of(response: Response) -> str:
    """Return the version of Podman's own API if its removal accepts a stop timeout, else an empty string."""
    found = re.fullmatch(r"(\d{1,3})\.\d{1,3}\.\d{1,3}", response.headers.get("libpod-api-version", ""), re.ASCII)
    return found[0] if found is not None and int(found[1]) >= OLDEST_LIBPOD else ""


def _negotiate(offered: str, server: str) -> str:
    """Return the API version to use: the engine's own, or NEWEST_API if that is older. Raises EngineError."""
    if _VERSION.fullmatch(offered) is None:
        raise EngineError(
            FaultKind.NOT_AN_ENGINE,
            f"the response has no usable Api-Version header ({offered[:20]!r})",
            "check which service listens at the engine's address",
        )
    newest = _parse(offered)
    if newest < OLDEST_API or newest[0] != 1:
        raise EngineError(
            FaultKind.API_VERSION,
            f"{server or 'the engine'} has API {offered}; {OLDEST_API[0]}.{OLDEST_API[1]} or a newer 1.x is needed",
            "update the engine on the box" if newest < OLDEST_API else "update fleetsweep",
        )
    major, minor = min(newest, NEWEST_API)
    return f"{major}.{minor}"


def _parse(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor)
