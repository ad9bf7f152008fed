"""Each foreign exception of a request becomes one of ours, once, and none gets past."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import BadStatusLine, IncompleteRead, LineTooLong

import pytest
import requests

from fleetsweep.engine import translation
from fleetsweep.engine.budget import Budget
from fleetsweep.engine.pool import Overdue
from fleetsweep.engine.sdk import docker
from fleetsweep.engine.strict_json import InvalidJson, JsonTooLarge
from fleetsweep.engine.translation import Translator
from fleetsweep.errors import EngineError, FaultKind, HostError, LostAnswer
from fleetsweep.runtime.deadline import Deadline, Watchdog


@pytest.fixture
def translator() -> Iterator[Translator]:
    with Watchdog() as watchdog:
        yield Translator(Deadline(60.0, watchdog))


@pytest.mark.parametrize(
    ("error", "kind", "lost"),
    [
        (EngineError(FaultKind.REFUSED, "no"), FaultKind.REFUSED, False),
        (docker.errors.DockerException("x"), FaultKind.SDK, False),
        (requests.ConnectionError("x"), FaultKind.LOST, True),
        (ConnectionResetError("x"), FaultKind.LOST, True),
        (EOFError(), FaultKind.LOST, True),
        (BadStatusLine("x"), FaultKind.LOST, True),
        (IncompleteRead(b""), FaultKind.LOST, True),
        (LineTooLong("header"), FaultKind.INVALID_ANSWER, True),
        (TimeoutError(), FaultKind.TIMEOUT, True),
        (Overdue(3.0), FaultKind.TIMEOUT, True),
        (JsonTooLarge("x"), FaultKind.TOO_LARGE, False),
        (InvalidJson("x"), FaultKind.INVALID_ANSWER, False),
        (MemoryError(), FaultKind.TOO_LARGE, False),
        (KeyError("x"), FaultKind.INVALID_ANSWER, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_a_foreign_exception_becomes_ours(
    translator: Translator, error: Exception, kind: FaultKind, lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = Budget()
    monkeypatch.setattr(translation, "SHARED", budget)

    def request() -> None:
        with translator.translated("the list"):
            budget.current.reserve(4096, 4096)
            raise error

    with pytest.raises(HostError) as caught:
        request()
    assert (caught.value.kind, isinstance(caught.value, LostAnswer)) == (kind, lost)
    assert caught.value is error or caught.value.__cause__ is error
    assert budget.small.left == budget.small.size, "the memory is released"


def test_what_is_no_error_of_a_request_passes(translator: Translator) -> None:
    with pytest.raises(KeyboardInterrupt), translator.translated("the list"):
        raise KeyboardInterrupt
