"""The Docker SDK's transport over any byte stream: a requests adapter that dials where it is told.

It reads whole answers within a bound, follows no redirect, retries nothing, and refuses every method it was
not given: an adapter for an audit can't send a DELETE.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

import requests
import requests.adapters
import urllib3
from urllib3.connection import HTTPConnection

from fleetsweep.deadline import Deadline
from fleetsweep.errors import EngineError, HostError, Phase

if TYPE_CHECKING:
    from urllib3._base_connection import BaseHTTPConnection

BASE_URL: Final = "http://engine:80"
BODY_LIMIT: Final = 64 * 1024 * 1024
"""Bytes. A list of 10,000 containers is a quarter of it."""

_CHUNK: Final = 256 * 1024


class Stream(Protocol):
    """What a dialled connection must offer: a paramiko channel and a socket both do."""

    def settimeout(self, value: float | None, /) -> None:
        """Bound each following read and write, in seconds."""

    def close(self) -> object:
        """End the stream."""


Dial = Callable[[], Stream]


class _Connection(HTTPConnection):
    """An HTTP connection on a stream that was dialled elsewhere."""

    def __init__(self, dial: Dial, host: str, port: int | None) -> None:
        super().__init__(host, port)
        self._dial_stream = dial

    def connect(self) -> None:
        self.sock = self._dial_stream()

    @property
    def is_connected(self) -> bool:
        # urllib3 would poll the file descriptor, and an SSH channel has none of its own.
        return self.sock is not None


class _Pool(urllib3.HTTPConnectionPool):
    """As many streams as can be had, up to ``size``. A thread that finds none free waits for one."""

    def __init__(self, dial: Dial, size: int) -> None:
        super().__init__("engine", 80, maxsize=size, block=True)
        self._dial_stream = dial
        self._slots = size
        self._granted = False
        self._slots_lock = threading.Lock()

    def _new_conn(self) -> _Connection:
        return _Connection(self._dial_stream, self.host, self.port)

    def _get_conn(self, timeout: float | None = None) -> BaseHTTPConnection:
        connection = super()._get_conn(timeout)
        if connection.is_connected:
            return connection
        try:
            connection.connect()
        except HostError as error:
            if error.phase is not Phase.TUNNEL or error.kind not in {"forbidden", "refused"}:
                raise
            with self._slots_lock:
                if not self._granted or self._slots == 1:
                    raise
                # One stream was granted and another is not, as where sshd's MaxSessions is small: make do with those
                # there are. Nothing was sent yet.
                self._slots -= 1
            return self._get_conn(timeout)
        self._granted = True
        return connection


class StreamAdapter(requests.adapters.HTTPAdapter):
    """Carries requests over streams from ``dial``, at most ``connections`` at once, until ``deadline``."""

    def __init__(self, dial: Dial, deadline: Deadline, methods: frozenset[str], connections: int = 1) -> None:
        super().__init__(max_retries=0)
        self._streams = _Pool(dial, connections)
        self._deadline = deadline
        self._methods = methods

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,
        proxies: Mapping[str, str] | None = None,
        cert: tuple[str, str] | str | None = None,
    ) -> _Pool:
        """The one pool, whatever the URL says: there is nowhere else to go."""
        return self._streams

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: object = None,
        verify: object = True,
        cert: object = None,
        proxies: object = None,
    ) -> requests.Response:
        """Send one request and read its whole answer. Raises EngineError for what is refused here."""
        if request.method not in self._methods:
            raise PermissionError(f"{request.method} is not allowed on this connection")
        if self._deadline.expired:
            # A thread that was stuck must not go on when its host has long been reported.
            raise TimeoutError("the deadline has passed")
        response = super().send(request, stream=True, timeout=max(0.001, self._deadline.remaining()))
        if response.is_redirect or response.is_permanent_redirect:
            # An engine never redirects; one that does would steer a DELETE to a resource of its choosing.
            response.close()
            raise EngineError(
                "redirect",
                f"the engine answered {request.method} with a redirect",
                "check which service answers at the engine's address",
                http_status=response.status_code,
            )
        response._content = self._read_whole(response)
        response._content_consumed = True  # type: ignore[attr-defined]
        return response

    def _read_whole(self, response: requests.Response) -> bytes:
        chunks = []
        size = 0
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            chunks.append(chunk)
            size += len(chunk)
            if size > BODY_LIMIT:
                response.close()
                raise EngineError("too-large", f"an answer is larger than {BODY_LIMIT // 2**20} MiB")
            if self._deadline.expired:
                response.close()
                raise TimeoutError("the answer did not end in time")
        return b"".join(chunks)

    def close(self) -> None:
        """Close every stream. Over a connection that broke this fails, and what it broke with is the news."""
        with contextlib.suppress(OSError, EOFError):
            self._streams.close()
        super().close()
