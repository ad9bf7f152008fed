"""Calls that must return, whatever file they meet."""

from __future__ import annotations

import threading
from collections.abc import Callable


def error_of(call: Callable[[], object]) -> BaseException | None:
    """Return what a call raised. Fails if it does not return."""
    raised: list[BaseException] = []

    def work() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "it is still waiting"
    return raised[0] if raised else None
