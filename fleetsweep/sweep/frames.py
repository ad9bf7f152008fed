"""Messages between the controller and its worker processes, pickled, over two pipes."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection

from fleetsweep.sweep.slices import Reach, RemovalResult, RemovalTask, SurveyResult, SurveyTask


class Signal(StrEnum):
    """What the controller asks of a worker apart from tasks."""

    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Ask:
    """A task with its number on this pipe."""

    number: int
    task: SurveyTask | RemovalTask


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of the task with that number. ``refused`` is why it was not carried out."""

    number: int
    result: SurveyResult | RemovalResult | None
    refused: str = ""


Message = Reach | Ask | Signal | Reply


def pipe_end(descriptor: int, *, writes: bool) -> Connection:
    """Return one end of a pipe. It owns the descriptor."""
    return Connection(descriptor, readable=not writes, writable=writes)


def send(end: Connection, message: Message) -> None:
    """Write one message. Raises OSError where nothing reads any more."""
    end.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))


def receive(end: Connection) -> Message:
    """Return the next message. Raises EOFError or OSError at the end."""
    message = pickle.loads(end.recv_bytes())  # noqa: S301 - from our own child or parent
    if not isinstance(message, (Reach, Ask, Signal, Reply)):
        raise TypeError(f"not a message: {type(message).__name__}")
    return message
