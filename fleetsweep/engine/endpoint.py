"""The addresses of engines, and connections to an engine on this machine."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fleetsweep.engine.pool import Dial
from fleetsweep.errors import FaultKind, HostError, Phase, UsageError
from fleetsweep.runtime.deadline import Deadline


@dataclass(frozen=True, slots=True)
class UnixEndpoint:
    """A Unix socket on the engine's box, by its absolute path."""

    path: str

    @property
    def url(self) -> str:
        """The address in the format of the docker CLI and the inventory."""
        return f"unix://{self.path}"

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class TcpEndpoint:
    """A TCP port without TLS, for an engine that listens on its box's loopback."""

    address: str
    port: int

    @property
    def url(self) -> str:
        """The address in the format of the docker CLI and the inventory."""
        return f"tcp://[{self.address}]:{self.port}" if ":" in self.address else f"tcp://{self.address}:{self.port}"

    def __str__(self) -> str:
        return f"{self.address} port {self.port}"


Endpoint = UnixEndpoint | TcpEndpoint


def parse_endpoint(url: str) -> Endpoint:
    """Parse ``unix:///path`` or ``tcp://address:port``. Raises UsageError."""
    scheme, _, rest = url.partition("://")
    if scheme == "unix" and rest.startswith("/") and "\0" not in rest:
        return UnixEndpoint(rest)
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})", rest, re.ASCII)
    if scheme == "tcp" and found is not None and 0 < int(found[3]) < 65536:
        return TcpEndpoint(found[1] or found[2], int(found[3]))
    raise UsageError(f"{url!r} is not an engine's address: write unix:///path/to.sock or tcp://127.0.0.1:2375")


def ignored_docker_host(endpoint: Endpoint, environ: Mapping[str, str]) -> str:
    """Return a hint if DOCKER_HOST names another engine than ``endpoint``: it is not read. Else an empty string."""
    named = environ.get("DOCKER_HOST", "")
    if named in {"", endpoint.url}:
        return ""
    try:
        parse_endpoint(named)
    except UsageError:
        instead = "--host USER@BOX" if named.startswith("ssh://") else "--engine"
        return f"DOCKER_HOST ({named[:200]}) is not read: give {instead}"
    return f"DOCKER_HOST is not read: give --engine {named}"


@contextmanager
def local_dial(endpoint: Endpoint, deadline: Deadline) -> Iterator[Dial]:
    """Yield a dial function for an engine on this machine. Its streams are shut at the deadline and on exit."""
    streams: list[socket.socket] = []

    def dial() -> socket.socket:
        family = socket.AF_UNIX if isinstance(endpoint, UnixEndpoint) else socket.AF_INET
        if isinstance(endpoint, TcpEndpoint) and ":" in endpoint.address:
            family = socket.AF_INET6
        stream = socket.socket(family, socket.SOCK_STREAM)
        streams.append(stream)
        stream.settimeout(max(0.001, deadline.remaining()))
        try:
            stream.connect(endpoint.path if isinstance(endpoint, UnixEndpoint) else (endpoint.address, endpoint.port))
        except OSError as error:
            failure = _dial_error(endpoint, error)
            hint = ignored_docker_host(endpoint, os.environ)
            failure.remedy += f"; {hint}" if hint else ""
            raise failure from error
        return stream

    def shut() -> None:
        for stream in streams:
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)

    with deadline.closing(shut):
        try:
            yield dial
        finally:
            for stream in streams:
                stream.close()


def _dial_error(endpoint: Endpoint, error: OSError) -> HostError:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return HostError(
            Phase.TUNNEL,
            FaultKind.ABSENT,
            f"there is no socket {endpoint}",
            "systemctl start docker.socket docker, or give --engine",
        )
    if isinstance(error, PermissionError):
        return _denied(endpoint)
    if isinstance(error, ConnectionRefusedError):
        # connect(2) returns the same error for a socket without a listener and for a path that is no socket.
        if isinstance(endpoint, UnixEndpoint) and not Path(endpoint.path).is_socket():
            what = "a directory" if Path(endpoint.path).is_dir() else "not a socket"
            return HostError(
                Phase.TUNNEL, FaultKind.NOT_A_SOCKET, f"{endpoint} is {what}", "give --engine, or move it away"
            )
        return HostError(Phase.TUNNEL, FaultKind.REFUSED, f"nothing listens on {endpoint}", "systemctl restart docker")
    return HostError(Phase.TUNNEL, FaultKind.LOST, f"{endpoint}: {error.strerror or error}", "check the engine's log")


def _denied(endpoint: Endpoint) -> HostError:
    try:
        group = Path(str(endpoint)).group()
    except (OSError, KeyError):
        return HostError(
            Phase.TUNNEL,
            FaultKind.DENIED,
            f"you have no permission to access {endpoint}",
            f"namei -l {shlex.quote(str(endpoint))}, or run fleetsweep as root",
        )
    remedy = "run fleetsweep as root" if group == "root" else f"as root: usermod -aG {group} USER, then log in again"
    return HostError(
        Phase.TUNNEL,
        FaultKind.DENIED,
        f"{endpoint} belongs to group {group}, and you have no permission to use it",
        remedy,
    )
