"""A channel whose reads and writes read the connection's messages while they wait."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import paramiko
import pytest

from fleetsweep.ssh.transport import StreamlocalTransport
from tests.lab.process import wait_for
from tests.ssh.connected import WAIT_S, connected, echoed, opened, others
from tests.ssh.sshd import sshd


def test_a_read_that_times_out_leaves_the_connection_usable() -> None:
    with sshd() as server, connected(server) as transport:
        silent, other = opened(transport, 0.05), opened(transport)
        with pytest.raises(TimeoutError):
            silent.recv(1)
        assert echoed(other, b"ping") == b"ping"
        assert echoed(silent, b"late") == b"late"


def test_a_read_without_waiting_returns_what_has_arrived_and_nothing_else() -> None:
    with sshd() as server, connected(server) as transport:
        channel = opened(transport)
        channel.settimeout(0.0)
        with pytest.raises(TimeoutError):
            channel.recv(1)
        (end,) = others(server)
        # Messages that carry nothing come first.
        for _ in range(3):
            server.transports[0].send_ignore(8)
        end.sendall(b"unsolicited")
        wait_for(lambda: readable(transport), "the bytes to arrive")
        assert channel.recv(64) == b"unsolicited"


def readable(transport: StreamlocalTransport) -> bool:
    """Whether at least 150 bytes wait in the kernel: all that was sent."""
    sock = transport.sock
    assert isinstance(sock, socket.socket)
    try:
        return len(sock.recv(4096, socket.MSG_PEEK | socket.MSG_DONTWAIT)) >= 150
    except BlockingIOError:
        return False


def test_messages_without_end_do_not_keep_a_read_from_timing_out() -> None:
    stopped = threading.Event()

    def flood(end: paramiko.Transport) -> None:
        while not stopped.is_set():
            end.send_ignore(8)

    with sshd() as server, connected(server) as transport, ThreadPoolExecutor(1) as pool:
        channel = opened(transport, 0.05)
        flooding = pool.submit(flood, server.transports[0])
        try:
            with pytest.raises(TimeoutError):
                channel.recv(1)
        finally:
            stopped.set()
        flooding.result(WAIT_S)


def test_a_write_of_more_than_the_window_waits_for_the_reader_at_the_other_end() -> None:
    data = bytes(range(256)) * 4 * 4096

    def drain(listener: socket.socket) -> bytes:
        connection, _ = listener.accept()
        received = b""
        with connection:
            while more := connection.recv(65536):
                received += more
        return received

    with sshd() as server, connected(server) as transport, ThreadPoolExecutor(1) as pool:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(WAIT_S)
            drained = pool.submit(drain, listener)
            channel = transport.open_direct("127.0.0.1", listener.getsockname()[1], WAIT_S)
            channel.settimeout(WAIT_S)
            assert len(data) > channel.out_window_size
            channel.sendall(data)
            channel.close()
            assert drained.result(WAIT_S) == data
        assert not transport.is_alive()


def test_a_write_that_no_one_reads_times_out() -> None:
    with sshd() as server, connected(server) as transport, socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        channel = transport.open_direct("127.0.0.1", listener.getsockname()[1], WAIT_S)
        channel.settimeout(0.2)
        with pytest.raises(TimeoutError):
            channel.sendall(bytes(16 * 2**20))
