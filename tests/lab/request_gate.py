"""A hook for the scripted engine that holds requests back until a test lets them go."""

from __future__ import annotations

import re
import threading

from tests.lab.process import wait_for
from tests.lab.scripted_engine import Response


class Gate:
    """Holds what comes while it is shut. ``held`` are the paths of all that it has seen, in order."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self._open = threading.Event()
        self._lock = threading.Lock()
        self._answers: dict[str, Response] = {}
        self._otherwise: Response | None = None

    def __call__(self, request: re.Match[str]) -> Response | None:
        """Hold a request; afterwards answer it as told, or let the engine do so."""
        path = request.string.split()[1]
        if self._open.is_set():
            return None
        with self._lock:
            self.held.append(path)
        self._open.wait(60)
        return self._answers.get(path, self._otherwise)

    def await_held(self, count: int) -> None:
        """Wait until so many requests are held."""
        wait_for(lambda: len(self.held) >= count, f"{count} requests being held", 20)

    def release(self, answers: dict[str, Response] | None = None) -> None:
        """Let the engine act on all that is held, but for those paths that get an answer from here."""
        self._answers = answers or {}
        self._open.set()

    def drop(self) -> None:
        """Lose all that is held: the engine never hears of it. What comes later passes."""
        self._otherwise = Response(raw=b"")
        self._open.set()
