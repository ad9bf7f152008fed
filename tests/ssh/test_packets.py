"""The buffered reader of packets, and the limits of a greeting."""

from __future__ import annotations

import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.ssh.packets import GREETING_LIMIT, GreetingTooLongError, ReadAhead
from fleetsweep.ssh.transport import StreamlocalTransport
from tests.ssh.connected import connected, opened
from tests.ssh.sshd import sshd


def test_lines_before_the_version_line_are_the_greeting() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"welcome\r\nto the box\r\nSSH-2.0-test\r\n")
        transport = StreamlocalTransport(ours)
        event = threading.Event()
        transport.start_client(event)
        # A key exchange that can't be parsed ends the handshake.
        theirs.sendall(b"\0" * 64)
        theirs.shutdown(socket.SHUT_WR)
        assert event.wait(20)
        assert transport.greeting == ["welcome", "to the box"]
        assert transport.remote_version == "SSH-2.0-test"
        transport.close()
        transport.join(20)


def test_a_greeting_without_an_end_is_refused() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        transport = StreamlocalTransport(ours)
        event = threading.Event()
        transport.start_client(event)
        sender = threading.Thread(target=_send, args=(theirs, b"x" * (GREETING_LIMIT + 1)), daemon=True)
        sender.start()
        assert event.wait(20)
        error = transport.get_exception()
        assert isinstance(error.__context__ if error is not None else None, GreetingTooLongError)
        transport.close()
        transport.join(20)
        sender.join(20)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.lists(st.integers(1, 60), min_size=1, max_size=8))
def test_the_read_buffer_loses_no_byte_and_returns_no_more_than_requested(
    pieces: list[bytes], counts: list[int]
) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            for piece in pieces:
                theirs.sendall(piece)
        reader, received, turn = ReadAhead(ours), b"", 0
        while got := reader.recv(counts[turn % len(counts)]):
            assert len(got) <= counts[turn % len(counts)]
            received, turn = received + got, turn + 1
        assert received == b"".join(pieces)
        assert reader.recv(1) == b""


@given(st.binary(max_size=20), st.binary(min_size=1, max_size=20))
def test_what_was_put_back_is_read_first(first: bytes, rest: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(rest)
        reader = ReadAhead(ours)
        assert reader.wait(20)
        reader.put_back(first)
        received = b""
        while len(received) < len(first + rest):
            received += reader.recv(7)
        assert received == first + rest


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 0.01])
def test_a_wait_ends_without_bytes_and_with_them_and_at_the_end_of_the_stream(seconds: float) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        reader = ReadAhead(ours)
        with theirs:
            assert not reader.wait(seconds)
            theirs.sendall(b"ping")
            assert reader.wait(seconds)
            assert reader.wait(seconds)
            assert reader.recv(64) == b"ping"
            assert not reader.wait(seconds)
        assert reader.wait(seconds)
        assert reader.recv(64) == b""


def test_a_wait_on_a_stream_through_a_bastion_ends_and_leaves_it_usable() -> None:
    with sshd() as server, connected(server) as transport:
        transport.read_in_thread()
        channel = opened(transport)
        reader = ReadAhead(channel)
        assert not reader.wait(0)
        # Without a timeout of its own, a read or write after that would fail at once.
        assert channel.gettimeout()
        assert not reader.wait(0.01)
        reader.send(b"ping")
        while not reader.wait(1):
            pass
        assert reader.recv(64) == b"ping"


def _send(stream: socket.socket, data: bytes) -> None:
    try:
        stream.sendall(data)
    except OSError:
        return
