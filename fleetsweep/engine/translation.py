"""Translate each foreign exception of a request to an engine into one of ours, once."""

from __future__ import annotations

import logging
from http.client import BadStatusLine, HTTPException, IncompleteRead
from types import TracebackType
from typing import Final, NoReturn

import requests

from fleetsweep.engine.budget import SHARED, Reservation
from fleetsweep.engine.pool import Overdue
from fleetsweep.engine.sdk import docker
from fleetsweep.engine.strict_json import TEXT_SHOWN, InvalidJson, JsonTooLarge
from fleetsweep.errors import EngineError, FaultKind, HostError, LostAnswer, Phase
from fleetsweep.runtime.deadline import Deadline

_STREAM_ERRORS: Final = (requests.RequestException, OSError, EOFError)
_MADE_OF_VALUES: Final = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError)
"""The errors of code that got a value of an unexpected type or shape, in the SDK or here."""

log = logging.getLogger(__name__)


class Translator:
    """Translates the errors of the requests to one engine. Its deadline tells a late response from a lost one."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def translated(self, what: str) -> _Request:
        """Map every foreign exception of a request to one of ours, and account for the memory of its response."""
        return _Request(self, what, SHARED.begin(self._deadline.remaining))

    def translate(self, what: str, foreign: BaseException) -> NoReturn:
        """Raise our error for a foreign one, with that as its cause. What is no error of a request passes."""
        try:
            raise foreign
        except docker.errors.DockerException as error:
            raise EngineError(FaultKind.SDK, f"{what}: {_cut(error)}") from error
        except (BadStatusLine, IncompleteRead, *_STREAM_ERRORS) as error:
            raise self._lost(what, error) from error
        except HTTPException as error:
            # The outcome is unknown: for a removal this is no refusal.
            raise LostAnswer(
                Phase.ENGINE,
                FaultKind.INVALID_ANSWER,
                f"{what} is not valid HTTP: {_cut(error)}",
                "check which service listens at the engine's address",
            ) from error
        except JsonTooLarge as error:
            raise EngineError(FaultKind.TOO_LARGE, f"{what} {error}") from error
        except InvalidJson as error:
            raise EngineError(FaultKind.INVALID_ANSWER, f"{what} is not valid JSON: {error}") from error
        except MemoryError as error:
            raise EngineError(FaultKind.TOO_LARGE, f"there is not enough memory for {what}") from error
        except _MADE_OF_VALUES as error:
            log.debug("%s can't be used", what, exc_info=True)
            raise EngineError(FaultKind.INVALID_ANSWER, f"{what} can't be used: {_cut(error)}") from error

    def _lost(self, what: str, error: BaseException) -> LostAnswer:
        if isinstance(error, Overdue):
            message = f"{what} did not arrive within {error.seconds:.0f} s"
            return LostAnswer(Phase.ENGINE, FaultKind.TIMEOUT, message, "check the load of the engine")
        # Every other timeout is the deadline's, even one that fires slightly early.
        if self._deadline.expired or isinstance(error, TimeoutError):
            return LostAnswer(
                Phase.ENGINE,
                FaultKind.TIMEOUT,
                f"{what} did not arrive within {self._deadline.seconds:.0f} s",
                "check the load of the engine, or raise --host-timeout",
            )
        return LostAnswer(
            Phase.ENGINE,
            FaultKind.LOST,
            f"the connection ended before {what} was complete",
            "check the engine's log on the box",
        )


class _Request:
    """The context of one request. A class and not a generator, which would take several times as long."""

    __slots__ = ("_reservation", "_translator", "_what")

    def __init__(self, translator: Translator, what: str, reservation: Reservation) -> None:
        self._translator = translator
        self._what = what
        self._reservation = reservation

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is not None and not isinstance(error, HostError):
                self._translator.translate(self._what, error)
        finally:
            self._reservation.release()


def _cut(error: BaseException) -> str:
    """Return an error's type and message, shortened to ``TEXT_SHOWN`` characters."""
    return f"{type(error).__name__}: {error}"[:TEXT_SHOWN].encode(errors="replace").decode()
