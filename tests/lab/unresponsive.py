"""Ports and name servers that never respond."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.lab.process import wait_for


@contextmanager
def full_port() -> Iterator[int]:
    """A port with a full accept queue: the kernel drops new connections, as a firewall does."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = int(listener.getsockname()[1])

        def drops() -> bool:
            probe = stack.enter_context(socket.socket())
            probe.settimeout(0.3)
            try:
                probe.connect(("127.0.0.1", port))
            except TimeoutError:
                return True
            return False

        wait_for(drops, "the port's queue being full")
        yield port


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never sends a byte."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        yield int(listener.getsockname()[1])


@contextmanager
def silent_dns(directory: Path) -> Iterator[list[str]]:
    """A name server that never responds; yields the prefix for a command that must use it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        for last in range(2, 255):
            try:
                server.bind((f"127.53.0.{last}", 53))
            except OSError:
                continue
            break
        # By default the C library gives up after ten seconds, sooner than some tests wait.
        patience = "options timeout:10 attempts:2\n"
        (directory / "resolv.conf").write_text(f"nameserver {server.getsockname()[0]}\n{patience}")
        (directory / "nsswitch.conf").write_text("hosts: files dns\n")
        script = (
            f"mount --bind {directory}/resolv.conf /etc/resolv.conf && "
            f'mount --bind {directory}/nsswitch.conf /etc/nsswitch.conf && exec "$@"'
        )
        yield ["unshare", "--mount", "sh", "-c", script, "sh"]


def behind_firewall(port: int) -> list[str]:
    """Return the prefix for a command in a network with only loopback, where that port is dropped."""
    script = f'ip link set lo up && iptables -A INPUT -p tcp --dport {port} -j DROP && exec "$@"'
    return ["unshare", "--net", "sh", "-c", script, "sh"]
