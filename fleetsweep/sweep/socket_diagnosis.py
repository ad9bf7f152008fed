"""Explain why no route reached an engine, and what to change on its box. Pure: it reads the output of the box."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fleetsweep.engine.endpoint import Endpoint, TcpEndpoint, UnixEndpoint, parse_endpoint
from fleetsweep.errors import FaultKind, HostError, Phase, UsageError

_BEGIN: Final = "fleetsweep-look"
_END: Final = "fleetsweep-end"

_DEFAULT_SOCKETS: Final = (
    "/var/run/docker.sock",
    "/run/podman/podman.sock",
    "/run/user/$(id -u)/docker.sock",
    "/run/user/$(id -u)/podman/podman.sock",
)
"""Where engines listen by default."""

_LS_LINE: Final = re.compile(r"([bcdlps-][rwxsStT-]{9})\S*\s+\d+\s+(\S+)\s+(\S+)\s")


@dataclass(frozen=True, slots=True)
class FailedRoute:
    """One route that did not reach the engine, and its error. ``forbidden`` marks one that sshd's rules deny."""

    name: str
    message: str
    forbidden: bool = False


@dataclass(frozen=True, slots=True)
class SocketProbe:
    """What a shell on the box found.

    ``listing`` is the socket's line of ``ls``, ``writable`` whether its user may write to it, ``others`` the other
    sockets in the usual places, and ``docker_host`` the user's DOCKER_HOST there, which is not read.
    """

    listing: str
    writable: bool
    others: tuple[str, ...]
    docker_host: str = ""


def probe_command(path: str) -> str:
    """Return a command, for any login shell, that examines a socket. ``parse_probe`` reads its output."""
    target = shlex.quote(path)
    script = (
        f"LC_ALL=C; export LC_ALL; echo {_BEGIN}; ls -ldL {target} 2>&1; test -w {target} && echo writable; "
        f'echo "docker-host $DOCKER_HOST"; '
        f'for s in {" ".join(_DEFAULT_SOCKETS)}; do test -S "$s" && ! test "$s" -ef {target} && echo "other $s"; done; '
        f"echo {_END}"
    )
    return f"sh -c {shlex.quote(script)}"


def parse_probe(text: str) -> SocketProbe | None:
    """Parse the output of ``probe_command``; None if it did not run to its end, as under a forced command."""
    _, begun, rest = text.partition(f"{_BEGIN}\n")
    body, ended, _ = rest.partition(_END)
    if not begun or not ended:
        return None
    lines = body.splitlines()
    others = tuple(line.removeprefix("other ") for line in lines if line.startswith("other /"))
    named = [line.removeprefix("docker-host ") for line in lines[1:] if line.startswith("docker-host ")]
    return SocketProbe(lines[0] if lines else "", "writable" in lines[1:], others, named[0] if named else "")


def no_route_error(
    user: str, endpoint: Endpoint, failed: Sequence[FailedRoute], probe: SocketProbe | None, *, become: bool
) -> HostError:
    """Return one error for all routes: the cause, the error of each, and what to type on the box."""
    kind, finding, remedy = (
        _unix(user, endpoint, failed, probe, become) if isinstance(endpoint, UnixEndpoint) else _tcp(endpoint, failed)
    )
    errors = "; ".join(f"{each.name}: {each.message}" for each in failed)
    return HostError(Phase.TUNNEL, kind, f"{finding} ({errors})", remedy)


Finding = tuple[FaultKind, str, str]
"""The error's kind, the cause, and the remedy."""


def _tcp(endpoint: TcpEndpoint, failed: Sequence[FailedRoute]) -> Finding:
    errors = "; ".join(each.message for each in failed)
    if failed[0].forbidden and "connection refused" not in errors:
        return (
            FaultKind.FORBIDDEN,
            f"sshd forbids a stream to {endpoint}",
            f"in sshd_config on the box: AllowTcpForwarding local (and PermitOpen {endpoint.address}:{endpoint.port}, "
            "if it is set); for a restricted key: restrict,port-forwarding",
        )
    return (
        FaultKind.REFUSED,
        f"nothing listens on {endpoint}, as seen from the box",
        f"on the box: ss -ltn 'sport = :{endpoint.port}'; start the engine there, or name its socket",
    )


def _unix(
    user: str, endpoint: UnixEndpoint, failed: Sequence[FailedRoute], probe: SocketProbe | None, become: bool
) -> Finding:
    path = endpoint.path
    # docker and podman print the error of connect(2), in English whatever the locale.
    errors = "; ".join(each.message for each in failed)
    no_listener = "connection refused" in errors
    if probe is not None:
        kind, finding, remedy = _probed(user, path, probe, no_listener, become)
        if _names_another(probe.docker_host, endpoint):
            remedy += f"; {user}'s DOCKER_HOST there is not read: set fleetsweep_engine to {probe.docker_host}"
        if kind is FaultKind.FORBIDDEN and "it printed" in errors:
            remedy += "; the user's shell start-up files must print nothing in a shell that is not interactive"
        return kind, finding, remedy
    if "no such file or directory" in errors:
        # A forced command may name another socket than the inventory does.
        named = re.search(r"dial unix (/\S+): connect: no such file", errors)
        absent = named[1] if named else path
        return FaultKind.ABSENT, f"there is no socket {absent}", _how_to_start(absent, ())
    if "permission denied" in errors and "sudo" not in errors:
        return FaultKind.DENIED, f"{user} may not use {path}", _how_to_grant_access(user, "docker", path, become)
    if no_listener:
        return FaultKind.REFUSED, f"nothing listens on {path}", "on the box: systemctl restart docker"
    return (
        FaultKind.FORBIDDEN,
        f"sshd or the key's options do not let {user} reach {path}",
        _how_to_allow_forwarding(path),
    )


def _probed(user: str, path: str, probe: SocketProbe, no_listener: bool, become: bool) -> Finding:
    elsewhere = f", but there is {probe.others[0]}" if probe.others else ""
    if "No such file or directory" in probe.listing or "Not a directory" in probe.listing:
        return FaultKind.ABSENT, f"there is no socket {path}{elsewhere}", _how_to_start(path, probe.others)
    found = _LS_LINE.match(probe.listing)
    if found is None:
        return (
            FaultKind.DENIED,
            f"{user} may not examine {path}{elsewhere}: {probe.listing[:300]}",
            f"on the box: namei -l {shlex.quote(path)} shows which directory is closed to {user}"
            + ("" if not probe.others else f"; or set fleetsweep_engine to unix://{probe.others[0]}"),
        )
    mode, owner, group = found.groups()
    if mode[0] != "s":
        return _not_a_socket(path, mode, elsewhere, probe.others)
    if not probe.writable:
        return (
            FaultKind.DENIED,
            f"{path} is {owner}:{group} {mode}, and {user} may not use it",
            _how_to_grant_access(user, group, path, become),
        )
    if no_listener:
        return FaultKind.REFUSED, f"nothing listens on {path}{elsewhere}", "on the box: systemctl restart docker"
    return (
        FaultKind.FORBIDDEN,
        f"{path} is there and {user} may use it: sshd or the key's options forbid the stream, or nothing listens",
        _how_to_allow_forwarding(path),
    )


def _names_another(docker_host: str, endpoint: UnixEndpoint) -> bool:
    """Whether a DOCKER_HOST is the address of another engine, in the format of the inventory."""
    try:
        return parse_endpoint(docker_host) != endpoint
    except UsageError:
        return False


def _not_a_socket(path: str, mode: str, elsewhere: str, others: Sequence[str]) -> Finding:
    if mode[0] == "d":
        # docker run -v creates a directory if the daemon has not created its socket yet.
        return (
            FaultKind.NOT_A_SOCKET,
            f"{path} is a directory{elsewhere}",
            f"on the box: rmdir {shlex.quote(path)} && systemctl restart docker.socket docker",
        )
    return FaultKind.NOT_A_SOCKET, f"{path} is not a socket ({mode}){elsewhere}", _how_to_start(path, others)


def _how_to_start(path: str, others: Sequence[str]) -> str:
    if others:
        return f"set fleetsweep_engine to unix://{others[0]}, or start the engine of {path}"
    return "on the box: systemctl start docker.socket docker; or set fleetsweep_engine to where the engine listens"


def _how_to_grant_access(user: str, group: str, path: str, become: bool) -> str:
    rule = (
        f'echo "{user} ALL=(root) NOPASSWD: $(command -v docker) -H unix\\://{path} system dial-stdio" '
        "> /etc/sudoers.d/fleetsweep"
    )
    if become:
        return f"on the box, as root: {rule}"
    if group != "root":
        return f"on the box, as root: usermod -aG {shlex.quote(group)} {shlex.quote(user)}"
    return f"on the box, as root: {rule}; and set ansible_become for it"


def _how_to_allow_forwarding(path: str) -> str:
    return (
        f"in sshd_config on the box: AllowStreamLocalForwarding local (and PermitOpen [{path}]:*, if it is set); for a "
        f'restricted key: restrict,port-forwarding, or restrict,command="docker -H unix://{path} system dial-stdio" '
        "with the docker CLI"
    )
