"""A keep-alive connection pool for HTTP/1.1 with pipelining, timeouts per response, and no retry of a DELETE.

The pool follows no redirect and refuses every method that it was not created for: an audit's pool can't send a DELETE.
Unsolicited bytes close a connection; the next request uses a new one.
"""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from http.client import BadStatusLine
from typing import Final, Protocol

from fleetsweep.engine.budget import SHARED
from fleetsweep.engine.http11 import ONE_LIMIT, Response, TooLarge, read_response
from fleetsweep.errors import EngineError, FaultKind, HostError, Phase
from fleetsweep.runtime.deadline import Deadline

READ_ONLY: Final = frozenset({"GET"})
MAY_REMOVE: Final = frozenset({"GET", "DELETE"})

PIPELINE_DEPTH: Final = 16
"""Requests in flight on one connection: few enough that neither side's buffers fill up while both write."""

READ_SIZE: Final = 64 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Stream(Protocol):
    """The byte stream that a dial returns: a socket or a paramiko channel."""

    def settimeout(self, value: float | None, /) -> None:
        """Limit each following read and write to ``value`` seconds."""

    def sendall(self, data: bytes, /) -> object:
        """Write all of ``data``."""

    def recv(self, nbytes: int, /) -> bytes:
        """Return at most ``nbytes`` bytes, or none at the end of the stream."""

    def close(self) -> object:
        """Close the stream."""


Dial = Callable[[], Stream]


class Overdue(TimeoutError):
    """A response exceeded its own timeout, while its host still has time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no complete response within {seconds:.0f} s")
        self.seconds = seconds


class ConnectionPool:
    """At most ``connections`` connections over streams from ``dial``, until ``deadline``. Thread-safe."""

    def __init__(self, dial: Dial, deadline: Deadline, methods: frozenset[str], connections: int = 1) -> None:
        self._dial = dial
        self._deadline = deadline
        self._reserved_s = 0.0
        self._methods = methods
        self._limit = connections
        self._busy = 0
        self._idle: list[_Http11Connection] = []
        self._granted = False
        self._lock = threading.Lock()
        self._released = threading.Condition(self._lock)
        self._waiting = 0

    def open(self) -> None:
        """Dial the first connection now, so that a later timeout measures the engine alone. Raises HostError."""
        self._release(self._acquire())

    def reserve_time(self, seconds: float) -> None:
        """Reserve the last ``seconds`` of the host's time for requests over a fresh connection."""
        self._reserved_s = seconds

    def request(
        self,
        method: str,
        target: str,
        *,
        within: float | None = None,
        fresh: bool = False,
        limit: int = ONE_LIMIT,
    ) -> Response:
        """Send one request and return its complete response.

        ``within`` limits the response to so many seconds after a connection was free; after that Overdue is raised and
        the connection is closed. ``fresh`` uses a new connection in any case. ``limit`` is the largest body, in bytes.
        Raises EngineError for a redirect, a success of GET other than 200, or a body that is too large, PermissionError
        for a method that the pool was not created for, and what the connection raises.
        """
        if method not in self._methods:
            raise PermissionError(f"{method} is not allowed on this connection")
        connection = self._acquire_fresh() if fresh else self._acquire()
        left = self._left(fresh)
        seconds = left if within is None or within > left else within
        try:
            response = connection.request(method, target, seconds, limit)
        except TimeoutError as error:
            connection.close()
            if within is not None and within < left:
                raise Overdue(within) from error
            raise
        except BaseException:
            connection.close()
            raise
        finally:
            self._release(connection)
        if response.status in _REDIRECTS:
            # No engine redirects. A hostile one once steered a DELETE to another box's container this way.
            raise EngineError(
                FaultKind.REDIRECT,
                f"the engine responded to {method} with a redirect",
                "check which service listens at the engine's address",
                http_status=response.status,
            )
        if method == "GET" and response.status != 200 and not response.failed:
            # 206 is a part of a list only, and none of the others is an engine's response to a GET.
            raise EngineError(
                FaultKind.INVALID_ANSWER,
                f"the response to GET has status {response.status} instead of 200",
                "check which service listens at the engine's address",
                http_status=response.status,
            )
        return response

    def pipeline(self, targets: Sequence[str]) -> None:
        """Send at most ``PIPELINE_DEPTH`` GETs in one write; ``request`` then reads their responses in this order.

        No other request may be made in between. If the engine closes the connection, the rest is sent again.
        """
        connection = self._acquire()
        try:
            connection.pipeline(targets)
        except BaseException:
            connection.close()
            raise
        finally:
            self._release(connection)

    def close(self) -> None:
        """Close every connection. Errors of a broken connection are ignored: the original one is already raised."""
        for connection in self._idle:
            connection.close()

    def _left(self, fresh: bool = False) -> float:
        """Seconds until a response is no longer of use."""
        left = self._deadline.remaining()
        return left if fresh or not self._reserved_s else max(0.0, left - self._reserved_s)

    def _acquire_fresh(self) -> _Http11Connection:
        """Return a new connection beside those in use, and close the idle ones.

        Waits for one in use to end if the dial refuses another.
        """
        while True:
            with self._lock:
                idle, self._idle = self._idle, []
                self._busy += 1
            for old in idle:
                old.close()
            connection = _Http11Connection(self._dial, self._deadline)
            try:
                connection.open()
            except BaseException as error:
                with self._lock:
                    self._busy -= 1
                    if not (_is_refusal(error) and self._busy and self._wait(self._left(fresh=True))):
                        raise
                continue
            return connection

    def _acquire(self) -> _Http11Connection:
        """Return an idle or new connection, dialled. Waits for one when all are busy."""
        while True:
            with self._lock:
                while not self._idle and self._busy >= self._limit:
                    if not self._wait(self._left()):
                        raise TimeoutError("the deadline has passed")
                self._busy += 1
                connection = self._idle.pop() if self._idle else _Http11Connection(self._dial, self._deadline)
            if self._left() <= 0:
                # A thread that was stuck must not go on after its host was reported.
                self._release(connection)
                raise TimeoutError("the deadline has passed")
            try:
                connection.open()
            except BaseException as error:
                self._lower_limit(error)
                continue
            self._granted = True
            return connection

    def _lower_limit(self, error: BaseException) -> None:
        """Make do with the connections that were granted. Raise ``error`` if none was, or if it is no refusal.

        This happens when sshd's MaxSessions is small. Nothing was sent yet.
        """
        with self._lock:
            self._busy -= 1
            granted = self._busy + len(self._idle)
            if not _is_refusal(error) or not self._granted or not granted:
                self._notify()
                raise error
            # Not one fewer at a time: each further dial would be refused, too.
            self._limit = granted

    def _release(self, connection: _Http11Connection) -> None:
        with self._lock:
            self._busy -= 1
            self._idle.append(connection)
            self._notify()

    def _wait(self, seconds: float) -> bool:
        """Wait for a connection to be released, with the lock held. Return whether one was in time."""
        self._waiting += 1
        try:
            return self._released.wait(seconds)
        finally:
            self._waiting -= 1

    def _notify(self) -> None:
        # With one connection no thread waits, and the call is not cheap.
        if self._waiting:
            self._released.notify()


class _Clock:
    """The instant, of ``time.monotonic``, by which a response must be complete."""

    def __init__(self, until: float) -> None:
        self.until = until

    def check(self) -> None:
        """Raise TimeoutError if the time is over."""
        if time.monotonic() >= self.until:
            raise TimeoutError("the response did not end in time")

    def seconds_left(self) -> float:
        """Return the seconds left, more than 0. Raises as ``check`` does."""
        self.check()
        return max(0.001, self.until - time.monotonic())


class _Http11Connection:
    """One keep-alive connection, dialled when it is needed, and its pipelined requests."""

    def __init__(self, dial: Dial, deadline: Deadline) -> None:
        self._dial = dial
        self._deadline = deadline
        self._stream: Stream | None = None
        self._raw: _RawStream | None = None
        self._reader: io.BufferedReader | None = None
        self._pipelined: deque[str] = deque()
        self._clock = _Clock(deadline.instant)
        self._used = False

    def open(self) -> tuple[Stream, io.BufferedReader]:
        if self._stream is None or self._reader is None:
            self._stream = self._dial()
            self._raw = _RawStream(self._stream, self._clock)
            self._reader = io.BufferedReader(self._raw, READ_SIZE)
            self._used = False
        return self._stream, self._reader

    def pipeline(self, targets: Sequence[str]) -> None:
        if self._pipelined or len(targets) > PIPELINE_DEPTH:
            raise ValueError(f"more than {PIPELINE_DEPTH} requests in flight on one connection")
        self._clock.until = self._deadline.instant
        self._send(b"".join(_head("GET", target) for target in targets))
        self._pipelined.extend(targets)

    def request(self, method: str, target: str, within: float, limit: int) -> Response:
        self._clock.until = time.monotonic() + within
        if self._pipelined and (method != "GET" or self._pipelined[0] != target):
            # The next response on this connection belongs to another request.
            self.close()
        sent = bool(self._pipelined)
        if sent:
            self._pipelined.popleft()
        try:
            if not sent:
                self._send(_head(method, target))
            return self._read(method, limit)
        except (BadStatusLine, ConnectionError) as error:
            # A reused connection has been closed meanwhile, or brings the rest of an earlier response.
            if method != "GET" or not self._used:
                raise
            self._reopen(error)
        self._send(_head(method, target))
        return self._read(method, limit)

    def _reopen(self, cause: Exception) -> None:
        self.close()
        try:
            self.open()
        except HostError:
            raise cause from None

    def _send(self, data: bytes) -> None:
        self._close_if_stale()
        stream, _ = self.open()
        stream.settimeout(self._clock.seconds_left())
        stream.sendall(data)

    def _close_if_stale(self) -> None:
        """Close a reused connection that has unsolicited bytes or was closed by the engine.

        The next response on it could not be told apart from them.
        """
        if self._stream is None or not self._used:
            return
        try:
            self._stream.settimeout(0.0)
            self._stream.recv(1)
        except (BlockingIOError, TimeoutError):
            return
        except (OSError, EOFError):
            pass
        self.close()

    def _read(self, method: str, limit: int) -> Response:
        _, reader = self.open()
        reservation = SHARED.current
        reservation.release()
        try:
            response = read_response(
                reader, self._clock.check, limit=limit, reserve=reservation.reserve, body_matters=method != "DELETE"
            )
        except TooLarge as error:
            raise EngineError(FaultKind.TOO_LARGE, f"a response is larger than {limit // 2**20} MiB") from error
        self._used = True
        # Bytes after the last requested response belong to no request.
        if response.closes or (not self._pipelined and self._raw is not None and reader.tell() != self._raw.tell()):
            self.close()
        return response

    def close(self) -> None:
        self._pipelined.clear()
        stream, self._stream = self._stream, None
        if stream is not None:
            with contextlib.suppress(OSError, EOFError):
                stream.close()


def _head(method: str, target: str) -> bytes:
    # A target with a line break could smuggle in another request.
    if not target.isascii() or not target.isprintable() or " " in target:
        raise ValueError(f"{target!r} is not a request target")
    fields = "Host: engine\r\nUser-Agent: fleetsweep\r\nAccept: application/json\r\n"
    return f"{method} {target} HTTP/1.1\r\n{fields}\r\n".encode()


def _is_refusal(error: BaseException) -> bool:
    """Whether another stream to the engine was refused before anything was sent."""
    return (
        isinstance(error, HostError)
        and error.phase is Phase.TUNNEL
        and error.kind in {FaultKind.FORBIDDEN, FaultKind.REFUSED}
    )


class _RawStream(io.RawIOBase):
    """The reading side of a stream. Each read gets only the response's remaining time: slow drips can't extend it."""

    def __init__(self, stream: Stream, clock: _Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._count = 0

    def tell(self) -> int:
        """Return the bytes received so far, so that the buffered reader's ``tell`` returns the bytes consumed."""
        return self._count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        self._stream.settimeout(self._clock.seconds_left())
        data = self._stream.recv(len(buffer))
        buffer[: len(data)] = data
        self._count += len(data)
        return len(data)
