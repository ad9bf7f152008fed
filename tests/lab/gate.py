"""Real proxies as gates before an engine's socket."""

from __future__ import annotations

import pwd
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fleetsweep.schedule import Gate, Proxy, render_gate
from tests.lab.process import Daemon, wait_for
from tests.lab.sockets import accepts


@contextmanager
def running(command: Sequence[str], address: Path, log: Path) -> Iterator[Daemon]:
    """Run a proxy until the block ends; the block begins once it listens at ``address``."""

    def listens() -> bool:
        if not daemon.alive():
            raise RuntimeError(f"{command[0]} ended:\n{daemon.tail()}")
        return accepts(address)

    daemon = Daemon([*command], log)
    try:
        wait_for(listens, f"{command[0]} listening")
        yield daemon
    finally:
        daemon.stop()


@contextmanager
def gate_of_root(
    proxy: Proxy, directory: Path, engine: Path, *, resources: bool = False, podman: bool = False
) -> Iterator[Path]:
    """A gate that runs as root before an engine's socket; yield its own socket, in a new directory."""
    directory.mkdir()
    address = directory / "docker.sock"
    config = directory / "config"
    gate = Gate(proxy, str(engine), str(address), "", "root", resources=resources, podman=podman)
    config.write_text(render_gate(gate))
    # Without this nginx's workers run as an account that can't use the engine's socket.
    as_root = ["-g", "user root;"] if proxy is Proxy.NGINX else []
    with running([*command_of(proxy, config), *as_root], address, directory / "log"):
        yield address


def command_of(proxy: Proxy, config: Path) -> list[str]:
    """Return the command that runs a proxy in the foreground."""
    if proxy is Proxy.NGINX:
        return ["/usr/sbin/nginx", "-e", "stderr", "-c", str(config)]
    return ["/usr/sbin/haproxy", "-db", "-f", str(config)]


def send(address: Path, request: bytes, *, end: bool) -> bytes:
    """Send bytes to a socket and return all that comes back. ``end`` ends the stream after them."""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(30)
        stream.connect(str(address))
        stream.sendall(request)
        if end:
            stream.shutdown(socket.SHUT_WR)
        received = b""
        while True:
            try:
                data = stream.recv(65536)
            except ConnectionResetError:
                return received
            if not data:
                return received
            received += data


def without_root(user: str, group: str, groups: str, command: Sequence[str]) -> list[str]:
    """Return the command that runs another as systemd's User, Group and SupplementaryGroups do."""
    return ["setpriv", f"--reuid={user}", f"--regid={group}", f"--groups={groups}", "--no-new-privs", *command]


def can_connect(user: str, address: Path) -> bool:
    """Return whether an account, with its own groups, may open a socket."""
    code = f"import socket; socket.socket(socket.AF_UNIX).connect({str(address)!r})"
    words = [
        "setpriv",
        f"--reuid={user}",
        f"--regid={pwd.getpwnam(user).pw_gid}",
        "--init-groups",
        "/usr/bin/env",
        "python3",
        "-c",
        code,
    ]
    done = subprocess.run(words, check=False, capture_output=True, text=True, cwd="/")
    assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
    return done.returncode == 0
