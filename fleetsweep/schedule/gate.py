"""The gate before an engine's socket: a configuration of haproxy or nginx that forwards what fleetsweep sends.

A request passes if its method and its target, byte for byte, match a rule here. So no decoding and no normalization of
a path decides anything. The rules are the requests of ``engine.client``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final

from fleetsweep import __version__
from fleetsweep.errors import UsageError
from fleetsweep.schedule.render import fill

REFUSAL: Final = "not allowed by the fleetsweep gate"
"""The message of a refusal, in the form of the engine's own errors."""

_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_+.-]+)+", re.ASCII)
"""The paths that both formats hold without quotes. nginx ends a socket's path at a colon."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", re.ASCII)
_PATH_LIMIT: Final = 90
"""Bytes. A Unix socket's address holds 107, and haproxy binds a longer, temporary name first."""

_VERSION: Final = r"(/v1\.[0-9]{1,3})?"
_LIBPOD: Final = r"/v[0-9]{1,2}\.[0-9]{1,3}\.[0-9]{1,3}/libpod"
_ID: Final = "[0-9a-f]{64}"
_VOLUME: Final = "[A-Za-z0-9][A-Za-z0-9_.-]{0,254}"
_ANY: Final = "([01]|[Tt]rue|[Ff]alse)"
_NO: Final = "(0|[Ff]alse)"
_FILTERS: Final = "filters=[A-Za-z0-9%+_.~*-]+"
"""A JSON text whose other characters are encoded: it can't end the parameter."""


class Proxy(StrEnum):
    """The program that runs the configuration."""

    HAPROXY = "haproxy"
    NGINX = "nginx"


@dataclass(frozen=True, slots=True)
class Rule:
    """The requests of one method whose path and parameters match. They are regular expressions without an anchor."""

    method: str
    path: str
    parameters: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """A regular expression of the whole request target."""
        if not self.parameters:
            return f"^{self.path}$"
        one = f"({'|'.join(self.parameters)})"
        return rf"^{self.path}(\?{one}(&{one})*)?$"


@dataclass(frozen=True, slots=True)
class Gate:
    """The values for a configuration. ``user`` is empty for the account that starts the proxy."""

    proxy: Proxy
    engine_socket: str
    socket: str
    user: str
    group: str
    resources: bool = False
    podman: bool = False

    def rules(self) -> Iterator[Rule]:
        """Yield what is allowed."""
        yield Rule("GET", f"{_VERSION}/(_ping|version|info)")
        listing = (f"all={_ANY}", _FILTERS, "limit=-1", f"size={_NO}", f"trunc_cmd={_ANY}")
        yield Rule("GET", f"{_VERSION}/containers/json", listing)
        yield Rule("GET", f"{_VERSION}/containers/{_ID}/json")
        # link=true would remove a link between containers, not a container.
        yield Rule("DELETE", f"{_VERSION}/containers/{_ID}", (f"v={_ANY}", f"force={_ANY}", f"link={_NO}"))
        if self.resources:
            yield Rule("GET", f"{_VERSION}/(volumes|networks)", (_FILTERS,))
            for method in ("GET", "DELETE"):
                yield Rule(method, f"{_VERSION}/volumes/{_VOLUME}")
                yield Rule(method, f"{_VERSION}/networks/{_ID}")
        if self.podman:
            yield Rule("GET", f"{_LIBPOD}/containers/json", (f"all={_ANY}",))
            removal = (f"force={_ANY}", "timeout=[0-9]{1,5}", f"v={_ANY}")
            yield Rule("DELETE", f"{_LIBPOD}/containers/{_ID}", removal)


def render_gate(gate: Gate) -> str:
    """Return the configuration. Raises UsageError for a value that the formats can't hold."""
    engine_socket = _check_path("--engine-socket", gate.engine_socket)
    socket = _check_path("--socket", gate.socket)
    if PurePosixPath(socket) == PurePosixPath(engine_socket):
        raise UsageError(f"--socket: {socket} is the engine's own socket: give the gate another path")
    rules = list(gate.rules())
    return fill(
        f"gate.{gate.proxy}",
        {
            "version": __version__,
            "engine_socket": engine_socket,
            "socket": socket,
            "directory": str(PurePosixPath(socket).parent),
            "user": _check_name("--user", gate.user) if gate.user else "",
            "group": _check_name("--group", gate.group),
            "reads": [rule.target for rule in rules if rule.method == "GET"],
            "removals": [rule.target for rule in rules if rule.method == "DELETE"],
            "refusal": f'{{"message":"{REFUSAL}"}}',
        },
    )


def _check_path(flag: str, path: str) -> str:
    if not _PATH.fullmatch(path) or len(path) > _PATH_LIMIT:
        raise UsageError(
            f"{flag}: {path[:100]!r} is not a socket's path: write an absolute one of at most {_PATH_LIMIT} "
            "letters, digits and _ + . -"
        )
    return path


def _check_name(flag: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{flag}: {name[:100]!r} is not a name of an account or a group")
    return name
