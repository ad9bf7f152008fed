"""HTTP over streams that were dialled elsewhere: whole answers within a bound, and requests that are sent ahead.

It follows no redirect and refuses every method it was not given: an exchange for an audit can't send a DELETE. A DELETE
is sent once. What comes on a stream that nobody asked for ends that stream: the next request goes over a new one.
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
from fleetsweep.errors import EngineError, HostError, Phase
from fleetsweep.runtime.deadline import Deadline

READ_ONLY: Final = frozenset({"GET"})
MAY_REMOVE: Final = frozenset({"GET", "DELETE"})

PIPELINE_DEPTH: Final = 16
"""Requests that may be under way on one stream: few enough that neither side waits for the other to read."""

READ_SIZE: Final = 64 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Stream(Protocol):
    """What a dialled connection must offer: a paramiko channel and a socket both do."""

    def settimeout(self, value: float | None, /) -> None:
        """Bound each following read and write, in seconds."""

    def sendall(self, data: bytes, /) -> object:
        """Write all of ``data``."""

    def recv(self, nbytes: int, /) -> bytes:
        """What came, at most so many bytes; none at the end."""

    def close(self) -> object:
        """End the stream."""


Dial = Callable[[], Stream]


class Overdue(TimeoutError):
    """One answer took longer than it may, while its host still has time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no whole answer within {seconds:.0f} s")
        self.seconds = seconds


class ConnectionPool:
    """Asks over streams from ``dial``, at most ``connections`` at once, until ``deadline``. Threads may share it."""

    def __init__(self, dial: Dial, deadline: Deadline, methods: frozenset[str], connections: int = 1) -> None:
        self._dial = dial
        self._deadline = deadline
        self._kept_back = 0.0
        self._methods = methods
        self._slots = connections
        self._busy = 0
        self._idle: list[_Http11Connection] = []
        self._granted = False
        self._freed = threading.Condition()

    def open(self) -> None:
        """Dial a first stream, so that a question's time is the engine's alone. Raises HostError."""
        self._give_back(self._take())

    def keep_back(self, seconds: float) -> None:
        """Leave that much of the host's time to what is asked over a fresh stream: all else must be answered before."""
        self._kept_back = seconds

    def ask(
        self,
        method: str,
        target: str,
        *,
        within: float | None = None,
        fresh: bool = False,
        limit: int = ONE_LIMIT,
    ) -> Response:
        """Send one request and read its whole answer. Raises EngineError for what is refused here.

        ``within`` bounds the answer, in seconds from when a stream is free: one that takes longer raises Overdue, and
        its stream is closed, so that the next question gets a new one. ``fresh`` asks over a new stream in any case,
        whatever the others wait for. ``limit`` bounds the body, in bytes.
        """
        if method not in self._methods:
            raise PermissionError(f"{method} is not allowed on this connection")
        line = self._take_fresh() if fresh else self._take()
        left = self._left(fresh)
        try:
            answer = line.ask(method, target, left if within is None else min(within, left), limit)
        except TimeoutError as error:
            line.close()
            if within is not None and within < left:
                raise Overdue(within) from error
            raise
        except BaseException:
            line.close()
            raise
        finally:
            self._give_back(line)
        if answer.status in _REDIRECTS:
            # An engine never redirects; one that does would steer a DELETE to a resource of its choosing.
            raise EngineError(
                "redirect",
                f"the engine answered {method} with a redirect",
                "check which service answers at the engine's address",
                http_status=answer.status,
            )
        return answer

    def pipeline(self, targets: Sequence[str]) -> None:
        """Send at most ``PIPELINE_DEPTH`` GETs in one write, before they are asked one by one in that order.

        Nothing else may be asked meanwhile. Where the engine ends the stream in between, the rest is sent anew.
        """
        line = self._take()
        try:
            line.pipeline(targets)
        except BaseException:
            line.close()
            raise
        finally:
            self._give_back(line)

    def close(self) -> None:
        """Close every stream. Over a connection that broke this fails, and what it broke with is the news."""
        for line in self._idle:
            line.close()

    def _left(self, fresh: bool = False) -> float:
        """Seconds until the last moment at which an answer is of use."""
        return max(0.0, self._deadline.remaining() - (0.0 if fresh else self._kept_back))

    def _take_fresh(self) -> _Http11Connection:
        """A new line, besides those in use; the idle ones are given up. Waits where no more are granted just now."""
        while True:
            with self._freed:
                idle, self._idle = self._idle, []
                self._busy += 1
            for old in idle:
                old.close()
            line = _Http11Connection(self._dial, self._deadline)
            try:
                line.open()
            except BaseException as error:
                with self._freed:
                    self._busy -= 1
                    if not (_is_refusal(error) and self._busy and self._freed.wait(self._left(fresh=True))):
                        raise
                continue
            return line

    def _take(self) -> _Http11Connection:
        """A line that nobody uses, dialled; where there are none left this waits for one."""
        while True:
            with self._freed:
                while not self._idle and self._busy >= self._slots:
                    if not self._freed.wait(self._left()):
                        raise TimeoutError("the deadline has passed")
                self._busy += 1
                line = self._idle.pop() if self._idle else _Http11Connection(self._dial, self._deadline)
            if self._left() <= 0:
                # A thread that was stuck must not go on when its host has long been reported.
                self._give_back(line)
                raise TimeoutError("the deadline has passed")
            try:
                line.open()
            except BaseException as error:
                self._forget_slot(error)
                continue
            self._granted = True
            return line

    def _forget_slot(self, error: BaseException) -> None:
        """Make do with the streams there are, where one was granted and another is not; else raise ``error``.

        So it is where sshd's MaxSessions is small. Nothing was sent yet.
        """
        with self._freed:
            self._busy -= 1
            granted = self._busy + len(self._idle)
            if not _is_refusal(error) or not self._granted or not granted:
                self._freed.notify()
                raise error
            # Not one less than were asked for: each of those would be asked for in vain.
            self._slots = granted

    def _give_back(self, line: _Http11Connection) -> None:
        with self._freed:
            self._busy -= 1
            self._idle.append(line)
            self._freed.notify()


class _Http11Connection:
    """One stream, dialled when it is needed, and the requests that are under way on it."""

    def __init__(self, dial: Dial, deadline: Deadline) -> None:
        self._dial = dial
        self._deadline = deadline
        self._stream: Stream | None = None
        self._received: _Received | None = None
        self._reader: io.BufferedReader | None = None
        self._ahead: deque[str] = deque()
        self._until = deadline.instant
        self._used = False

    def open(self) -> tuple[Stream, io.BufferedReader]:
        if self._stream is None or self._reader is None:
            self._stream = self._dial()
            self._received = _Received(self._stream, self._seconds_left)
            self._reader = io.BufferedReader(self._received, READ_SIZE)
            self._used = False
        return self._stream, self._reader

    def pipeline(self, targets: Sequence[str]) -> None:
        if self._ahead or len(targets) > PIPELINE_DEPTH:
            raise ValueError("more requests under way than are good for a stream")
        self._until = self._deadline.instant
        self._send(b"".join(_head("GET", target) for target in targets))
        self._ahead.extend(targets)

    def ask(self, method: str, target: str, within: float, limit: int) -> Response:
        self._until = time.monotonic() + within
        if self._ahead and (method != "GET" or self._ahead[0] != target):
            # The answer that comes next is another's.
            self.close()
        sent = bool(self._ahead)
        if sent:
            self._ahead.popleft()
        try:
            if not sent:
                self._send(_head(method, target))
            return self._read(method, limit)
        except (BadStatusLine, ConnectionError) as error:
            # A stream that carried an answer before has ended meanwhile, or brings the rest of that answer.
            if method != "GET" or not self._used:
                raise
            self._begin_anew(error)
        self._send(_head(method, target))
        return self._read(method, limit)

    def _begin_anew(self, cause: Exception) -> None:
        self.close()
        try:
            self.open()
        except HostError:
            raise cause from None

    def _send(self, data: bytes) -> None:
        self._end_unless_silent()
        stream, _ = self.open()
        stream.settimeout(self._seconds_left())
        stream.sendall(data)

    def _end_unless_silent(self) -> None:
        """End a stream on which something came, or whose other side has ended it: no answer to come could be told."""
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
        hold = SHARED.mine
        hold.release()
        try:
            answer = read_response(
                reader, self._in_time, limit=limit, reserve=hold.reserve, body_matters=method != "DELETE"
            )
        except TooLarge as error:
            raise EngineError("too-large", f"an answer is larger than {limit // 2**20} MiB") from error
        self._used = True
        # What came behind the last answer that was asked for is nobody's.
        if answer.closes or (not self._ahead and self._received is not None and reader.tell() != self._received.tell()):
            self.close()
        return answer

    def _in_time(self) -> None:
        if time.monotonic() >= self._until:
            raise TimeoutError("the answer did not end in time")

    def _seconds_left(self) -> float:
        self._in_time()
        return max(0.001, self._until - time.monotonic())

    def close(self) -> None:
        self._ahead.clear()
        stream, self._stream = self._stream, None
        if stream is not None:
            with contextlib.suppress(OSError, EOFError):
                stream.close()


def _head(method: str, target: str) -> bytes:
    # A name that could end the line would begin another request.
    if not target.isascii() or not target.isprintable() or " " in target:
        raise ValueError(f"{target!r} is not a request target")
    fields = "Host: engine\r\nUser-Agent: fleetsweep\r\nAccept: application/json\r\n"
    return f"{method} {target} HTTP/1.1\r\n{fields}\r\n".encode()


def _is_refusal(error: BaseException) -> bool:
    """Whether the way to the engine would not carry one more stream: nothing was sent."""
    return isinstance(error, HostError) and error.phase is Phase.TUNNEL and error.kind in {"forbidden", "refused"}


class _Received(io.RawIOBase):
    """What comes over a stream. Each read has what is left of the answer's time: a drip does not prolong it."""

    def __init__(self, stream: Stream, seconds_left: Callable[[], float]) -> None:
        self._stream = stream
        self._seconds_left = seconds_left
        self._count = 0

    def tell(self) -> int:
        """Bytes that came so far. Of the buffer over this it makes ``tell`` say how many of them were read."""
        return self._count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        self._stream.settimeout(self._seconds_left())
        data = self._stream.recv(len(buffer))
        buffer[: len(data)] = data
        self._count += len(data)
        return len(data)
