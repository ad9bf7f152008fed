"""Recognise a port that speaks TLS by how it responds to plain HTTP."""

from __future__ import annotations

import re
from http.client import BadStatusLine
from typing import Final

from fleetsweep.errors import EngineError, FaultKind, HostError

_REFUSAL: Final = re.compile(
    r"sent an HTTP request to an HTTPS server"  # Go, and so dockerd and podman
    r"|plain HTTP request was sent to HTTPS port"  # nginx
    r"|speaking plain HTTP to an SSL-enabled server",  # Apache
    re.IGNORECASE,
)

_ALERT: Final = re.compile(r"\x15\x03[\x00-\x04]")
"""The start of a TLS alert record (RFC 8446, section 5.1), with which other servers respond to plain HTTP."""


def speaks_tls(error: HostError) -> bool:
    """Whether the error of a first request over plain HTTP shows that the port speaks TLS."""
    if isinstance(error, EngineError) and error.http_status is not None:
        return _REFUSAL.search(error.message) is not None
    cause = error.__cause__
    return isinstance(cause, BadStatusLine) and _ALERT.match(str(cause)) is not None


def tls_port_error() -> EngineError:
    """Return the error for a port that speaks TLS."""
    return EngineError(
        FaultKind.TLS,
        "the engine's port speaks TLS, and plain HTTP is used within the SSH tunnel",
        "set fleetsweep_engine to the engine's Unix socket (unix:///var/run/docker.sock), or to a port without TLS "
        "that listens on the box's loopback alone: the tunnel encrypts both",
    )
