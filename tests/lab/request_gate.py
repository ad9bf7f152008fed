"""A hook for the scripted engine that blocks requests until a test releases them."""

from __future__ import annotations

import re
import threading

from tests.lab.process import wait_for
from tests.lab.scripted_engine import Response


class Gate:
    """Blocks requests while it is shut. ``held`` are the paths of all blocked requests, in order."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self._open = threading.Event()
        self._lock = threading.Lock()
        self._responses: dict[str, Response] = {}
        self._default: Response | None = None

    def __call__(self, request: re.Match[str]) -> Response | None:
        """Block a request; then return its response, or None to let the engine handle it."""
        path = request.string.split()[1]
        if self._open.is_set():
            return None
        with self._lock:
            self.held.append(path)
        self._open.wait(60)
        return self._responses.get(path, self._default)

    def await_held(self, count: int) -> None:
        """Wait until ``count`` requests are blocked."""
        wait_for(lambda: len(self.held) >= count, f"{count} requests being held", 20)

    def release(self, responses: dict[str, Response] | None = None) -> None:
        """Let the engine handle all blocked requests, except paths with a response given here."""
        self._responses = responses or {}
        self._open.set()

    def drop(self) -> None:
        """Drop all blocked requests: the engine never gets them. Later requests pass."""
        self._default = Response(raw=b"")
        self._open.set()
