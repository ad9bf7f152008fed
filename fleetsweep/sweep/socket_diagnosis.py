"""Why no way led to an engine, and what to change on its box. Pure: it reads what the box said."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fleetsweep.engine.endpoint import Endpoint, TcpEndpoint, UnixEndpoint
from fleetsweep.errors import HostError, Phase

_BEGIN: Final = "fleetsweep-look"
_END: Final = "fleetsweep-end"

_OTHERS: Final = (
    "/var/run/docker.sock",
    "/run/podman/podman.sock",
    "/run/user/$(id -u)/docker.sock",
    "/run/user/$(id -u)/podman/podman.sock",
)
"""Where engines listen unless they are told otherwise."""

_LISTED: Final = re.compile(r"([bcdlps-][rwxsStT-]{9})\S*\s+\d+\s+(\S+)\s+(\S+)\s")


@dataclass(frozen=True, slots=True)
class Refused:
    """One way that did not lead to the engine, and what was said there. ``forbidden``: sshd's rules are against it."""

    way: str
    said: str
    forbidden: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """What a shell on the box saw of a socket: the line of ls, whether its user may write to it, other sockets."""

    listing: str
    writable: bool
    others: tuple[str, ...]


def look_command(path: str) -> str:
    """A command for any login shell that looks at a socket; ``parse_look`` reads its output."""
    target = shlex.quote(path)
    script = (
        f"LC_ALL=C; export LC_ALL; echo {_BEGIN}; ls -ldL {target} 2>&1; test -w {target} && echo writable; "
        f'for s in {" ".join(_OTHERS)}; do test -S "$s" && ! test "$s" -ef {target} && echo "other $s"; done; '
        f"echo {_END}"
    )
    return f"sh -c {shlex.quote(script)}"


def parse_look(text: str) -> Look | None:
    """What ``look_command`` printed; None where it was not run to its end, as under a forced command."""
    _, begun, rest = text.partition(f"{_BEGIN}\n")
    body, ended, _ = rest.partition(_END)
    if not begun or not ended:
        return None
    lines = body.splitlines()
    others = tuple(line.removeprefix("other ") for line in lines if line.startswith("other /"))
    return Look(lines[0] if lines else "", "writable" in lines[1:], others)


def no_way(user: str, endpoint: Endpoint, refused: Sequence[Refused], look: Look | None, *, become: bool) -> HostError:
    """The one error for all ways: what each said, what is the matter, and what to type on the box."""
    kind, finding, remedy = (
        _unix(user, endpoint, refused, look, become) if isinstance(endpoint, UnixEndpoint) else _tcp(endpoint, refused)
    )
    told = "; ".join(f"{each.way}: {each.said}" for each in refused)
    return HostError(Phase.TUNNEL, kind, f"{finding} ({told})", remedy)


Finding = tuple[str, str, str]


def _tcp(endpoint: TcpEndpoint, refused: Sequence[Refused]) -> Finding:
    said = "; ".join(each.said for each in refused)
    if refused[0].forbidden and "connection refused" not in said:
        return (
            "forbidden",
            f"sshd forbids a stream to {endpoint}",
            f"in sshd_config on the box: AllowTcpForwarding local (and PermitOpen {endpoint.address}:{endpoint.port}, "
            "if it is set); for a restricted key: restrict,port-forwarding",
        )
    return (
        "refused",
        f"nothing answers at {endpoint} as the box sees it",
        f"on the box: ss -ltn 'sport = :{endpoint.port}'; start the engine there, or name its socket",
    )


def _unix(user: str, endpoint: UnixEndpoint, refused: Sequence[Refused], look: Look | None, become: bool) -> Finding:
    path = endpoint.path
    # docker and podman say what connect(2) said, in English whatever the locale.
    said = "; ".join(each.said for each in refused)
    nobody = "connection refused" in said
    if look is not None:
        kind, finding, remedy = _seen(user, path, look, nobody, become)
        if kind == "forbidden" and "it printed" in said:
            remedy += "; what its shell's start-up files print spoils a command's answer"
        return kind, finding, remedy
    if "no such file or directory" in said:
        # A forced command may name another socket than the inventory does.
        named = re.search(r"dial unix (/\S+): connect: no such file", said)
        absent = named[1] if named else path
        return "absent", f"there is no socket {absent}", _start(absent, ())
    if "permission denied" in said and "sudo" not in said:
        return "denied", f"{user} may not use {path}", _join(user, "docker", path, become)
    if nobody:
        return "refused", f"nothing listens on {path}", "on the box: systemctl restart docker"
    return "forbidden", f"sshd or the key's options let {user} reach no {path}", _allow(path)


def _seen(user: str, path: str, look: Look, nobody: bool, become: bool) -> Finding:
    elsewhere = f", but there is {look.others[0]}" if look.others else ""
    if "No such file or directory" in look.listing or "Not a directory" in look.listing:
        return "absent", f"there is no socket {path}{elsewhere}", _start(path, look.others)
    found = _LISTED.match(look.listing)
    if found is None:
        return (
            "denied",
            f"{user} may not look at {path}{elsewhere}: {look.listing[:300]}",
            f"on the box: namei -l {shlex.quote(path)} shows which directory is closed to {user}"
            + ("" if not look.others else f"; or set fleetsweep_engine to unix://{look.others[0]}"),
        )
    mode, owner, group = found.groups()
    if mode[0] != "s":
        return _no_socket(path, mode, elsewhere, look.others)
    if not look.writable:
        return (
            "denied",
            f"{path} is {owner}:{group} {mode}, and {user} may not use it",
            _join(user, group, path, become),
        )
    if nobody:
        return "refused", f"nothing listens on {path}{elsewhere}", "on the box: systemctl restart docker"
    return (
        "forbidden",
        f"{path} is there and {user} may use it: sshd or the key's options forbid the stream, or nothing listens",
        _allow(path),
    )


def _no_socket(path: str, mode: str, elsewhere: str, others: Sequence[str]) -> Finding:
    if mode[0] == "d":
        # docker run -v makes one where the daemon had not yet made its socket.
        return (
            "not-a-socket",
            f"{path} is a directory{elsewhere}",
            f"on the box: rmdir {shlex.quote(path)} && systemctl restart docker.socket docker",
        )
    return "not-a-socket", f"{path} is no socket ({mode}){elsewhere}", _start(path, others)


def _start(path: str, others: Sequence[str]) -> str:
    if others:
        return f"set fleetsweep_engine to unix://{others[0]}, or start the engine of {path}"
    return "on the box: systemctl start docker.socket docker; or set fleetsweep_engine to where the engine listens"


def _join(user: str, group: str, path: str, become: bool) -> str:
    rule = (
        f'echo "{user} ALL=(root) NOPASSWD: $(command -v docker) -H unix\\://{path} system dial-stdio" '
        "> /etc/sudoers.d/fleetsweep"
    )
    if become:
        return f"on the box, as root: {rule}"
    if group != "root":
        return f"on the box, as root: usermod -aG {group} {user}"
    return f"on the box, as root: {rule}; and set ansible_become for it"


def _allow(path: str) -> str:
    return (
        f"in sshd_config on the box: AllowStreamLocalForwarding local (and PermitOpen [{path}]:*, if it is set); for a "
        f'restricted key: restrict,port-forwarding, or restrict,command="docker -H unix://{path} system dial-stdio" '
        "with the docker CLI"
    )
