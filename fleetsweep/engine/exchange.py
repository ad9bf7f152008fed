"""HTTP over streams that were dialled elsewhere: whole answers within a bound, and requests that are sent ahead.

It follows no redirect, retries nothing, and refuses every method it was not given: an exchange for an audit can't
send a DELETE.
"""

from __future__ import annotations

import contextlib
import io
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from fleetsweep.deadline import Deadline
from fleetsweep.engine.answer import BODY_LIMIT, Answer, TooLarge, read_answer
from fleetsweep.errors import EngineError, HostError, Phase

READ_ONLY: Final = frozenset({"GET"})
MAY_REMOVE: Final = frozenset({"GET", "DELETE"})

AHEAD: Final = 16
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


class Exchange:
    """Asks over streams from ``dial``, at most ``connections`` at once, until ``deadline``. Threads may share it."""

    def __init__(self, dial: Dial, deadline: Deadline, methods: frozenset[str], connections: int = 1) -> None:
        self._dial = dial
        self._deadline = deadline
        self._methods = methods
        self._slots = connections
        self._busy = 0
        self._idle: list[_Line] = []
        self._granted = False
        self._freed = threading.Condition()

    def open(self) -> None:
        """Dial a first stream, so that a question's time is the engine's alone. Raises HostError."""
        self._give_back(self._take())

    def ask(self, method: str, target: str) -> Answer:
        """Send one request and read its whole answer. Raises EngineError for what is refused here."""
        if method not in self._methods:
            raise PermissionError(f"{method} is not allowed on this connection")
        line = self._take()
        try:
            answer = line.ask(method, target)
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

    def send_ahead(self, targets: Sequence[str]) -> None:
        """Send GETs in one write, before they are asked one by one in that order. ``AHEAD`` of them at the most.

        Nothing else may be asked meanwhile. Where the engine ends the stream in between, the rest is sent anew.
        """
        line = self._take()
        try:
            line.send_ahead(targets)
        except BaseException:
            line.close()
            raise
        finally:
            self._give_back(line)

    def close(self) -> None:
        """Close every stream. Over a connection that broke this fails, and what it broke with is the news."""
        for line in self._idle:
            line.close()

    def _take(self) -> _Line:
        """A line that nobody uses, dialled; where there are none left this waits for one."""
        while True:
            with self._freed:
                while not self._idle and self._busy >= self._slots:
                    if not self._freed.wait(self._deadline.remaining()):
                        raise TimeoutError("the deadline has passed")
                self._busy += 1
                line = self._idle.pop() if self._idle else _Line(self._dial, self._deadline)
            if self._deadline.expired:
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
            refused = (
                isinstance(error, HostError) and error.phase is Phase.TUNNEL and error.kind in {"forbidden", "refused"}
            )
            if not refused or not self._granted or self._slots == 1:
                self._freed.notify()
                raise error
            self._slots -= 1

    def _give_back(self, line: _Line) -> None:
        with self._freed:
            self._busy -= 1
            self._idle.append(line)
            self._freed.notify()


class _Line:
    """One stream, dialled when it is needed, and the requests that are under way on it."""

    def __init__(self, dial: Dial, deadline: Deadline) -> None:
        self._dial = dial
        self._deadline = deadline
        self._stream: Stream | None = None
        self._reader: io.BufferedReader | None = None
        self._ahead: deque[str] = deque()

    def open(self) -> tuple[Stream, io.BufferedReader]:
        if self._stream is None or self._reader is None:
            self._stream = self._dial()
            self._reader = io.BufferedReader(_Received(self._stream), READ_SIZE)
        return self._stream, self._reader

    def send_ahead(self, targets: Sequence[str]) -> None:
        if self._ahead or len(targets) > AHEAD:
            raise ValueError("more requests under way than are good for a stream")
        self._send(b"".join(_head("GET", target) for target in targets))
        self._ahead.extend(targets)

    def ask(self, method: str, target: str) -> Answer:
        if self._ahead and (method != "GET" or self._ahead[0] != target):
            # The answer that comes next is another's.
            self.close()
        if self._ahead:
            self._ahead.popleft()
        else:
            self._send(_head(method, target))
        return self._read()

    def _send(self, data: bytes) -> None:
        stream, _ = self.open()
        stream.settimeout(max(0.001, self._deadline.remaining()))
        stream.sendall(data)

    def _read(self) -> Answer:
        _, reader = self.open()
        try:
            answer = read_answer(reader, self._in_time)
        except TooLarge as error:
            raise EngineError("too-large", f"an answer is larger than {BODY_LIMIT // 2**20} MiB") from error
        if answer.closes:
            self.close()
        return answer

    def _in_time(self) -> None:
        if self._deadline.expired:
            raise TimeoutError("the answer did not end in time")

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


class _Received(io.RawIOBase):
    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        data = self._stream.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)
