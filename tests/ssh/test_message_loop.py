"""The threads that read a connection's messages: the one that waits, or the connection's own once several wait."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import paramiko
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paramiko.common import (
    MSG_KEXINIT,
    MSG_NEWKEYS,
    cMSG_CHANNEL_OPEN_FAILURE,
    cMSG_CHANNEL_REQUEST,
    cMSG_DEBUG,
    cMSG_DISCONNECT,
    cMSG_IGNORE,
)

from fleetsweep.ssh.channel import StreamChannel
from fleetsweep.ssh.message_loop import MessageLoop
from fleetsweep.ssh.transport import StreamlocalTransport
from tests.lab.process import wait_for
from tests.ssh.connected import WAIT_S, connected, echoed, opened, others
from tests.ssh.sshd import USER_KEY, sshd


def test_no_attribute_of_a_thread_is_replaced_by_chance() -> None:
    # paramiko's Transport is a Thread, and each Python gives threads other attributes.
    ours, theirs = socket.socketpair()
    with ours, theirs:
        added = set(vars(StreamlocalTransport(ours))) - set(vars(paramiko.Transport(theirs)))
    ours_alone = {*added, *vars(MessageLoop), *vars(StreamlocalTransport)}
    of_threads = {*dir(threading.Thread), *vars(threading.Thread())}
    assert {name for name in ours_alone & of_threads if not name.startswith("__")} == {"run"}


def test_one_thread_needs_no_other_to_log_in_and_to_use_a_stream() -> None:
    with sshd() as server, connected(server) as transport:
        before = threading.active_count()
        assert echoed(opened(transport), b"ping") == b"ping"
        assert not transport.is_alive()
        # The server's thread that echoes is new.
        assert threading.active_count() <= before + 1


def test_a_second_stream_has_its_connection_read_by_a_thread() -> None:
    with sshd() as server, connected(server) as transport:
        first = opened(transport)
        assert not transport.is_alive()
        second = opened(transport)
        assert transport.is_alive()
        assert (echoed(first, b"one"), echoed(second, b"two")) == (b"one", b"two")


def test_a_thread_that_waits_is_replaced_by_the_connections_own_once_it_has_its_bytes() -> None:
    with sshd() as server, connected(server) as transport, ThreadPoolExecutor(1) as pool:
        first = opened(transport)
        waiting = pool.submit(first.recv, 10)
        wait_for(lambda: transport._reader > 0, "a thread to read")
        second = opened(transport)
        assert not transport.is_alive()
        first.sendall(b"one")
        assert waiting.result(WAIT_S) == b"one"
        wait_for(transport.is_alive, "the connection's thread")
        assert echoed(second, b"two") == b"two"


def test_what_arrived_for_a_stream_is_seen_without_waiting_while_another_thread_waits() -> None:
    with sshd() as server, connected(server) as transport, ThreadPoolExecutor(1) as pool:
        first, second = opened(transport), opened(transport)
        waiting = pool.submit(first.recv, 10)
        end = next(each for each in others(server) if each.remote_chanid == second.chanid)
        end.sendall(b"unsolicited")
        wait_for(second.recv_ready, "the bytes to be read although nobody asks for them")
        second.settimeout(0.0)
        assert second.recv(64) == b"unsolicited"
        first.sendall(b"one")
        assert waiting.result(WAIT_S) == b"one"


@settings(max_examples=15)
@given(st.lists(st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=4), min_size=1, max_size=5))
def test_each_of_many_threads_gets_its_own_bytes_in_order(texts: list[list[bytes]]) -> None:
    def talk(transport: StreamlocalTransport, sent: list[bytes]) -> list[bytes]:
        channel = opened(transport)
        return [echoed(channel, data) for data in sent]

    with sshd() as server, connected(server) as transport, ThreadPoolExecutor(len(texts)) as pool:
        assert list(pool.map(lambda sent: talk(transport, sent), texts)) == texts


def test_a_connection_that_ended_unread_is_known_to_have_ended_at_the_next_use() -> None:
    with sshd() as server, connected(server) as transport:
        channel = opened(transport)
        server.disconnect()
        with pytest.raises((EOFError, OSError)):
            opened(transport)
        assert not transport.active
        assert channel.recv(1) == b""


def test_a_connection_that_was_shut_is_known_to_have_ended_at_the_next_write() -> None:
    # As at a host's deadline.
    with sshd() as server, connected(server) as transport:
        channel = opened(transport)
        assert isinstance(transport.sock, socket.socket)
        transport.sock.shutdown(socket.SHUT_RDWR)
        with pytest.raises(EOFError):
            channel.sendall(b"ping")
        assert not transport.active


def test_the_text_of_a_disconnect_is_kept() -> None:
    with sshd() as server, connected(server) as transport:
        channel = opened(transport)
        farewell = paramiko.Message()
        farewell.add_byte(cMSG_DISCONNECT)
        farewell.add_int(11)
        farewell.add_string("maintenance")
        farewell.add_string("en")
        server.transports[0]._send_message(farewell)  # type: ignore[attr-defined]
        assert channel.recv(1) == b""
        assert (transport.active, transport.disconnect_message) == (False, "maintenance")


@pytest.mark.parametrize("side", ["server", "client"])
def test_new_keys_are_exchanged_while_a_stream_is_in_use(side: str) -> None:
    with sshd() as server, connected(server) as transport, ThreadPoolExecutor(1) as pool:
        channel = opened(transport)
        assert echoed(channel, b"before") == b"before"
        if side == "server":
            renewed = pool.submit(server.transports[0].renegotiate_keys)
            wait_for(lambda: bool(echoed(channel, b"now")) and renewed.done(), "new keys")
            renewed.result(WAIT_S)
        else:
            transport.packetizer._trigger_rekey()  # type: ignore[attr-defined]
            # Its response may arrive before the exchange ends. The next write waits for that.
            assert echoed(channel, b"now") == b"now"
        assert echoed(channel, b"after" * 1000) == b"after" * 1000
        assert not transport.packetizer.need_rekey()


def test_a_keepalive_is_answered_while_a_thread_waits() -> None:
    with sshd() as server, connected(server) as transport, ThreadPoolExecutor(1) as pool:
        channel = opened(transport)
        waiting = pool.submit(channel.recv, 10)
        # A client rejects it, and that is an answer.
        assert server.transports[0].global_request("keepalive@openssh.com", wait=True) is None
        assert server.transports[0].is_active()
        channel.sendall(b"ping")
        assert waiting.result(WAIT_S) == b"ping"


def test_a_session_has_its_connection_read_by_a_thread() -> None:
    with sshd() as server, connected(server) as transport:
        session = transport.open_session(timeout=WAIT_S)
        assert transport.is_alive()
        session.close()


def no_thread(transport: MessageLoop) -> None:
    raise RuntimeError("can't start new thread")


def test_where_no_thread_can_be_started_a_second_stream_is_refused_and_the_first_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with sshd() as server, connected(server) as transport:
        first = opened(transport)
        monkeypatch.setattr(MessageLoop, "start", no_thread)
        with pytest.raises(paramiko.ChannelException, match="thread") as refused:
            opened(transport)
        assert refused.value.code == 4
        with pytest.raises(RuntimeError):
            transport.open_session(timeout=WAIT_S)
        assert echoed(first, b"one") == b"one"


def test_where_no_thread_can_replace_one_that_waited_the_others_are_told_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with sshd() as server, connected(server) as transport, ThreadPoolExecutor(1) as pool:
        first = opened(transport)
        waiting = pool.submit(first.recv, 10)
        wait_for(lambda: transport._reader > 0, "a thread to read")
        monkeypatch.setattr(MessageLoop, "start", no_thread)
        second = opened(transport)
        first.sendall(b"one")
        assert waiting.result(WAIT_S) == b"one"
        assert second.recv(1) == b""
        assert not transport.active


def keepalive(end: paramiko.Channel) -> paramiko.Message:
    """A request in a channel that must be answered: the answer takes the lock of messages."""
    message = paramiko.Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(end.remote_chanid)
    message.add_string("keepalive@openssh.com")
    message.add_boolean(True)
    return message


@pytest.mark.parametrize("unread", ["requests", "new keys", "closed streams"])
@pytest.mark.parametrize("threads", [False, True])
def test_a_write_that_fails_reads_the_rest_and_blocks_nobody(unread: str, threads: bool) -> None:
    with sshd() as server, connected(server) as transport, ThreadPoolExecutor(1) as pool:
        channel = opened(transport)
        more = [opened(transport) for _ in range(5)] if threads else []
        (end, *_), far = others(server), server.transports[0]
        for _ in range(3):
            far._send_message(keepalive(end))  # type: ignore[attr-defined]
        if unread == "new keys":
            far._send_kex_init()  # type: ignore[attr-defined]
        elif unread == "closed streams":
            for each in others(server):
                each.close()
        assert isinstance(transport.sock, socket.socket)
        transport.sock.shutdown(socket.SHUT_WR)
        writing = pool.submit(written, channel)
        # The connection's own thread may have noticed the end first. Then paramiko drops what is written.
        assert writing.result(WAIT_S) or threads
        wait_for(lambda: not transport.active, "the end to be known")
        for each in (channel, *more):
            each.close()


def written(channel: StreamChannel) -> bool:
    """Write until that fails. Return whether it did."""
    channel.settimeout(WAIT_S)
    try:
        for _ in range(100):
            channel.sendall(b"ping")
    except (EOFError, OSError):
        return True
    return False


def test_a_refusal_before_the_log_in_does_not_block_the_log_in_that_fails() -> None:
    with sshd() as server, socket.create_connection(("127.0.0.1", server.port)) as sock, ThreadPoolExecutor(1) as pool:
        transport = StreamlocalTransport(sock)
        transport.start_client()
        refusal = paramiko.Message()
        refusal.add_byte(cMSG_CHANNEL_OPEN_FAILURE)
        refusal.add_int(0)
        refusal.add_int(1)
        wait_for(lambda: bool(server.transports) and server.transports[0].initial_kex_done, "the server's keys")
        server.transports[0]._send_message(refusal)  # type: ignore[attr-defined]
        sock.shutdown(socket.SHUT_RDWR)
        with pytest.raises((EOFError, OSError, paramiko.SSHException)):
            pool.submit(transport.auth_publickey, "user", USER_KEY).result(WAIT_S)
        assert not transport.active


def test_a_message_waits_for_a_key_exchange_that_begins_when_it_is_about_to_be_sent() -> None:
    with sshd() as server, connected(server) as transport:
        channel = opened(transport)
        transport.packetizer._trigger_rekey()  # type: ignore[attr-defined]
        # The exchange is begun by another thread, which stops reading at once.
        with pytest.raises(TimeoutError):
            transport.read_until(lambda: False, 0.0)
        assert echoed(channel, b"ping") == b"ping"


def test_a_connection_is_closed_only_after_the_thread_that_reads_it_has_stopped() -> None:
    with sshd() as server, connected(server) as transport, ThreadPoolExecutor(1) as pool:
        channel = opened(transport)
        waiting = pool.submit(channel.recv, 10)
        wait_for(lambda: transport._reader > 0, "a thread to read")
        assert isinstance(transport.sock, socket.socket)
        transport.sock.shutdown(socket.SHUT_RDWR)
        transport.wait_until_unread(WAIT_S)
        assert transport._reader == 0
        assert waiting.result(WAIT_S) == b""


@pytest.mark.parametrize("extra", [cMSG_IGNORE, cMSG_DEBUG])
def test_a_message_smuggled_into_the_first_key_exchange_ends_it(extra: bytes) -> None:
    # CVE-2023-48795 (Terrapin): with strict key exchange no other message may come before NEWKEYS.
    class Smuggler(paramiko.Transport):
        def _send_kex_init(self) -> None:
            super()._send_kex_init()  # type: ignore[misc]
            message = paramiko.Message()
            message.add_byte(extra)
            message.add_string("")
            self._send_message(message)  # type: ignore[attr-defined]

    with sshd() as server:
        server.transport_class = Smuggler
        with pytest.raises(paramiko.SSHException, match="strict"), connected(server):
            pass


@pytest.mark.parametrize("kind", [MSG_KEXINIT, MSG_NEWKEYS])
def test_a_message_out_of_turn_ends_the_connection(kind: int) -> None:
    with sshd() as server, connected(server) as transport:
        channel = opened(transport)
        message = paramiko.Message()
        message.add_byte(bytes([kind]))
        server.transports[0]._send_message(message)  # type: ignore[attr-defined]
        with pytest.raises((EOFError, OSError, TimeoutError)):
            echoed_until_ended(channel)
        assert not transport.active


def echoed_until_ended(channel: StreamChannel) -> None:
    channel.settimeout(WAIT_S)
    if not channel.recv(1):
        raise EOFError


def test_a_message_for_a_channel_that_never_was_ends_the_connection() -> None:
    with sshd() as server, connected(server) as transport:
        channel = opened(transport)
        (end,) = others(server)
        end.remote_chanid += 1000
        end.sendall(b"lost")
        assert channel.recv(1) == b""
        assert not transport.active


def test_an_unknown_message_is_answered_and_skipped() -> None:
    with sshd() as server, connected(server) as transport:
        channel = opened(transport)
        message = paramiko.Message()
        message.add_byte(bytes([192]))
        server.transports[0]._send_message(message)  # type: ignore[attr-defined]
        assert echoed(channel, b"ping") == b"ping"
