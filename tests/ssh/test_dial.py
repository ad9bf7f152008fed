"""TCP connections and ProxyCommands as streams, and the faults of both."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from fleetsweep.errors import FaultKind, HostError, Phase
from fleetsweep.runtime.deadline import Deadline, Watchdog
from fleetsweep.ssh.dial import describe, dial, dial_command


def fault_of(name: str, port: int) -> HostError:
    with Watchdog() as watchdog, pytest.raises(HostError) as caught:
        dial(name, port, Deadline(20, watchdog), 20)
    assert caught.value.remedy
    return caught.value


def test_a_connection_sends_small_packets_at_once_and_its_address_is_observed() -> None:
    seen: list[tuple[Phase, object]] = []
    with socket.create_server(("127.0.0.1", 0)) as listener, Watchdog() as watchdog:
        port = int(listener.getsockname()[1])
        dialled = dial("localhost", port, Deadline(20, watchdog), 20, lambda phase, facts: seen.append((phase, facts)))
        assert isinstance(dialled.sock, socket.socket)
        assert dialled.direct
        assert dialled.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        dialled.close()
    assert [phase for phase, _ in seen] == [Phase.RESOLVE]
    assert "127.0.0.1" in str(seen[0][1])


def test_a_port_without_a_listener_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    fault = fault_of("127.0.0.1", port)
    assert (fault.phase, fault.kind) == (Phase.CONNECT, "refused")
    assert f"127.0.0.1 port {port}" in fault.message


def test_a_name_that_can_not_exist_is_unknown() -> None:
    fault = fault_of("a..b", 22)
    assert (fault.phase, fault.kind) == (Phase.RESOLVE, "unknown-name")


def test_shutting_a_stream_unblocks_its_reader() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, Watchdog() as watchdog:
        dialled = dial("127.0.0.1", int(listener.getsockname()[1]), Deadline(20, watchdog), 20)
        dialled.sock.settimeout(20)
        received: list[bytes] = []
        reader = threading.Thread(target=lambda: received.append(dialled.sock.recv(1)))
        reader.start()
        dialled.shut()
        reader.join(20)
        dialled.close()
    assert received == [b""]


def test_a_proxy_commands_input_and_output_are_the_stream() -> None:
    dialled = dial_command("cat")
    dialled.sock.settimeout(20)
    dialled.sock.sendall(b"ping")
    assert dialled.sock.recv(4) == b"ping"
    dialled.close()


def test_only_an_error_of_the_connect_phase_is_explained_by_the_proxy_command(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("echo no route >&2; exit 3")
    dialled = dial_command(f"sh {tmp_path / 'script'}")
    while dialled.sock.recv(1024):
        pass
    denied = HostError(Phase.AUTH, FaultKind.DENIED, "no")
    assert dialled.explain(denied) is denied
    lost = dialled.explain(HostError(Phase.CONNECT, FaultKind.HUNG_UP, "it ended"))
    dialled.close()
    assert "it ended; ProxyCommand" in lost.message
    assert "ended with status 3: no route" in lost.message


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (EOFError(), "the other end closed the connection"),
        (ValueError("bad value"), "bad value"),
        (ValueError(), "ValueError"),
    ],
)
def test_an_error_is_described_in_a_few_words(error: Exception, text: str) -> None:
    assert describe(error) == text
