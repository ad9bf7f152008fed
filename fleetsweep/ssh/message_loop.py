"""paramiko's Transport, whose messages are read by the thread that waits for them.

paramiko starts a thread for each connection, which hands each message to the thread that waits for it. With hundreds of
hosts these hand-overs are a fifth of all CPU time. Here a connection gets a thread of its own only for a second stream,
once two threads wait for it at the same time, or where paramiko itself waits.

Nothing is read while no thread waits. A server's keepalives stay unanswered as long, so no thread may keep a connection
idle for minutes.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable
from types import MethodType
from typing import ClassVar, Final

import paramiko
from paramiko.common import (
    MSG_DEBUG,
    MSG_DISCONNECT,
    MSG_IGNORE,
    MSG_KEXINIT,
    MSG_UNIMPLEMENTED,
    cMSG_UNIMPLEMENTED,
)
from paramiko.ssh_exception import MessageOrderError
from paramiko.transport import ChannelMap

from fleetsweep.ssh.dial import Socket
from fleetsweep.ssh.packets import CHECK_S, BufferedPacketizer

_NOBODY: Final = 0
_STARTING: Final = -1


class MessageLoop(paramiko.Transport):
    """A client's Transport that runs in the threads that use it.

    ``_reader`` is the thread that reads messages now. ``_shared`` is set when another thread waits meanwhile.
    """

    active: bool
    packetizer: BufferedPacketizer

    # Of paramiko's Transport. Its stubs leave them out.
    agreed_on_strict_kex: bool
    _expected_packet: tuple[int, ...]
    _channels: ChannelMap
    _handler_table: dict[int, MethodType]
    _channel_handler_table: ClassVar[dict[int, Callable[[paramiko.Channel, paramiko.Message], None]]]

    def __init__(self, sock: Socket, **kwargs: object) -> None:
        super().__init__(sock, packetizer_class=BufferedPacketizer, **kwargs)  # type: ignore[arg-type]
        # paramiko's table has bound methods, and with them each connection would be a reference cycle.
        self._handlers = {kind: handler.__func__ for kind, handler in self._handler_table.items()}
        self._handler_table.clear()
        self._turn = threading.Condition(threading.Lock())
        self._reader = _NOBODY
        self._shared = False
        self._has_thread = False
        self._greeted = False

    def read_until(self, ready: Callable[[], object], ends: float = math.inf) -> None:
        """Read messages until ``ready()`` is true or the connection has ended.

        Return at once if another thread reads them: what it receives wakes this one up. ``ends`` is an instant of
        ``time.monotonic``. Raises TimeoutError then.
        """
        me = threading.get_ident()
        if ready() or (self._has_thread and self._reader != me):
            return
        with self._turn:
            nested = self._reader == me
            if self._reader == _NOBODY:
                self._reader = me
            elif not nested:
                self._shared = True
                return
        try:
            while not ready() and self.active:
                self._read_message(ends)
        finally:
            if not nested:
                self._pass_on()

    def _pass_on(self) -> None:
        """Let the next thread read. If one waits already, it relies on a reader: start a thread for good."""
        with self._turn:
            self._reader = _STARTING if self._shared and self.active else _NOBODY
            starting = self._reader == _STARTING
            self._turn.notify_all()
        if starting:
            try:
                self._start_thread()
            except RuntimeError as error:
                # Those that wait would do so for ever.
                self._end(error)

    def read_in_thread(self) -> None:
        """Read messages in a thread from now on, so that they are read while no thread waits.

        A thread that reads now is replaced once it is done. Raises RuntimeError if no thread can be started.
        """
        with self._turn:
            starting = self._reader == _NOBODY
            if starting:
                self._reader = _STARTING
            else:
                self._shared = True
        if starting:
            self._start_thread()

    def wait_until_unread(self, seconds: float) -> None:
        """Wait until no thread reads the connection, which must be shut. Else its descriptor could be another's."""
        if self.is_alive():
            self.join(seconds)
        elif not self._has_thread:
            with self._turn:
                self._turn.wait_for(lambda: self._reader == _NOBODY, seconds)

    def open_session(
        self, window_size: int | None = None, max_packet_size: int | None = None, timeout: float | None = None
    ) -> paramiko.Channel:
        """Open a session as paramiko does, whose waits for it and in it read no messages: a thread does from now on."""
        self.read_in_thread()
        return super().open_session(window_size, max_packet_size, timeout)

    def _start_thread(self) -> None:
        self._has_thread = True
        try:
            self.start()
        except RuntimeError:
            self._has_thread = False
            self._reader = _NOBODY
            raise

    def run(self) -> None:
        """Read messages until the connection ends."""
        self._reader = threading.get_ident()
        while self.active:
            self._read_message(math.inf)

    def wait_for(self, event: threading.Event, ends: float = math.inf) -> None:
        """Wait until the event is set or the connection has ended. Raises TimeoutError at ``ends``."""
        self.read_until(event.is_set, ends)
        # A connection that ended before the event was registered never sets it.
        while self.active and not event.wait(max(0.0, min(CHECK_S, ends - time.monotonic()))):
            if time.monotonic() >= ends:
                raise TimeoutError

    def _read_message(self, ends: float) -> None:
        """Read and handle one message, or end the connection. Raises TimeoutError if none begins before ``ends``.

        What has arrived by then is read, up to ``CHECK_S`` later: a server may send other messages without end.
        """
        try:
            if not self._greeted:
                self._greet()
            if self.packetizer.need_rekey() and not self.in_kex:
                self._send_kex_init()  # type: ignore[attr-defined]
            came = self.packetizer.wait(ends - time.monotonic())
            if came:
                self._dispatch(*self.packetizer.read_message())
        except Exception as error:
            self._end(error)
            return
        late_s = time.monotonic() - ends
        if late_s >= (CHECK_S if came else 0.0):
            raise TimeoutError

    def _greet(self) -> None:
        self._greeted = True
        self.packetizer.write_all(f"{self.local_version}\r\n".encode())
        self._check_banner()  # type: ignore[attr-defined]
        self._send_kex_init()  # type: ignore[attr-defined]
        self._expected_packet = (MSG_KEXINIT,)

    # Not _handle: a Thread of Python 3.13 has an attribute of that name.
    def _dispatch(self, kind: int, message: paramiko.Message) -> None:
        """Handle one message as paramiko's ``run`` does. Raises what its handlers raise."""
        if kind == MSG_DISCONNECT:
            self._parse_disconnect(message)  # type: ignore[attr-defined]
            self._end(None)
            return
        if kind in {MSG_IGNORE, MSG_DEBUG}:
            self._enforce_strict_kex(kind)  # type: ignore[attr-defined]
            return
        if self._expected_packet:
            if kind not in self._expected_packet:
                error = MessageOrderError if self.agreed_on_strict_kex else paramiko.SSHException
                raise error(f"Expecting packet from {self._expected_packet!r}, got {kind}")
            self._expected_packet = ()
            # The numbers of key exchange messages depend on the algorithm.
            if 30 <= kind <= 41:
                self.kex_engine.parse_next(kind, message)  # type: ignore[union-attr]  # set by the KEXINIT
                return
        if kind in self._handlers:
            self._handlers[kind](self, message)
        elif kind in self._channel_handler_table:
            self._dispatch_to_channel(kind, message)
        elif kind in self._auth_handlers():
            self._auth_handlers()[kind](message)
        elif kind != MSG_UNIMPLEMENTED:
            response = paramiko.Message()
            response.add_byte(cMSG_UNIMPLEMENTED)
            response.add_int(message.seqno)
            self._send_message(response)  # type: ignore[attr-defined]

    def _auth_handlers(self) -> dict[int, Callable[[paramiko.Message], None]]:
        handlers: dict[int, Callable[[paramiko.Message], None]]
        handlers = {} if self.auth_handler is None else self.auth_handler._handler_table  # type: ignore[attr-defined]
        return handlers

    def _dispatch_to_channel(self, kind: int, message: paramiko.Message) -> None:
        number = message.get_int()
        channel: paramiko.Channel | None = self._channels.get(number)
        if channel is not None:
            self._channel_handler_table[kind](channel, message)
        elif number not in self.channels_seen:
            raise paramiko.SSHException(f"Channel request for unknown channel {number}")

    def _end(self, error: Exception | None) -> None:
        """Record why the connection ended and wake up all that wait for it, as paramiko's ``run`` does."""
        if self.active:
            # The traceback would keep alive what the thread was doing.
            self.saved_exception = None if error is None else error.with_traceback(None)
            self.active = False
            self.packetizer.close()
            if self.completion_event is not None:
                self.completion_event.set()
            if self.auth_handler is not None:
                self.auth_handler.abort()
            for event in list(self.channel_events.values()):
                event.set()
        for channel in self._channels.values():
            channel._unlink()  # type: ignore[attr-defined]
        self.sock.close()

    def _send_user_message(self, data: paramiko.Message) -> None:
        """Send once no key exchange is in progress. Drops the message if the connection has ended, as paramiko does.

        Raises EOFError if the other end is gone.
        """
        try:
            while self.active:
                self.read_until(self.clear_to_send.is_set)
                self.clear_to_send.wait(CHECK_S)
                with self.clear_to_send_lock:
                    if self.clear_to_send.is_set():
                        self._send_message(data)  # type: ignore[attr-defined]
                        return
        except EOFError:
            self.read_the_rest()
            raise

    def read_the_rest(self) -> None:
        """Read what the other end sent before it was gone: it may say why, and ``active`` must be false afterwards.

        The caller may hold no lock that a handler of messages takes. In a handler, nothing is done: its error ends the
        connection.
        """
        if self._reader == threading.get_ident():
            return
        with contextlib.suppress(TimeoutError):
            self.read_until(lambda: False, time.monotonic())
        self.wait_until_unread(CHECK_S)
