"""An answer that does not end in time costs its own stream alone, and a fresh one has time that is kept for it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException

import pytest

from fleetsweep.engine import MAY_REMOVE
from fleetsweep.engine.pool import ConnectionPool, Dial, Overdue, Stream
from fleetsweep.errors import HostError, Phase
from tests.engine.test_client import IDS, Sent, dial_of, engine_of
from tests.lab.process import wait_for
from tests.lab.scripted_engine import Response, ScriptedEngine


@contextmanager
def hanging(engine: ScriptedEngine, pattern: str) -> Iterator[None]:
    """While the block runs, requests that the pattern matches are not answered."""
    end = threading.Event()

    def hang(_: object) -> Response:
        end.wait(30)
        return Response(raw=b"")

    engine.on(pattern, hang)
    try:
        yield
    finally:
        end.set()


def test_an_answer_that_does_not_come_within_its_time_costs_its_stream_and_no_other_question() -> None:
    engine = engine_of(IDS[:2])
    dialled: list[Sent] = []
    with hanging(engine, f"DELETE /containers/{IDS[0]}"), dial_of(engine, dialled) as (dial, deadline):
        exchange = ConnectionPool(dial, deadline, MAY_REMOVE)
        with pytest.raises(Overdue) as overdue:
            exchange.ask("DELETE", f"/v1.41/containers/{IDS[0]}?force=True", within=0.1)
        assert overdue.value.seconds == 0.1
        assert exchange.ask("DELETE", f"/v1.41/containers/{IDS[1]}?force=True", within=10).status == 204
        exchange.close()
    assert len(dialled) == 2


class Drip:
    """A stream that gives one byte of a whole answer for each read, and takes its time."""

    def __init__(self) -> None:
        self.left = b"HTTP/1.1 204 No Content\r\n" + b"X-Long: 1\r\n" * 2000 + b"\r\n"

    def settimeout(self, value: float | None, /) -> None:
        """Never waits."""

    def sendall(self, data: bytes, /) -> None:
        """Whatever is asked."""

    def recv(self, nbytes: int, /) -> bytes:
        time.sleep(0.001)
        found, self.left = self.left[:1], self.left[1:]
        return found

    def close(self) -> None:
        """Nothing to close."""


def test_a_drip_does_not_prolong_an_answers_time() -> None:
    with dial_of(engine_of([]), []) as (_, deadline):
        exchange = ConnectionPool(Drip, deadline, MAY_REMOVE)
        with pytest.raises(Overdue):
            exchange.ask("GET", "/x", within=0.05)


def test_time_that_is_kept_back_is_for_a_fresh_stream_alone() -> None:
    engine = engine_of(IDS[:1])
    dialled: list[Sent] = []
    with dial_of(engine, dialled) as (dial, deadline):
        exchange = ConnectionPool(dial, deadline, MAY_REMOVE)
        assert exchange.ask("GET", "/_ping").status == 200
        exchange.keep_back(deadline.seconds)
        with pytest.raises(TimeoutError):
            exchange.ask("DELETE", f"/v1.41/containers/{IDS[0]}?force=True", within=5)
        assert exchange.ask("GET", "/_ping", within=5, fresh=True).status == 200
        exchange.close()
    assert ("DELETE", f"/containers/{IDS[0]}") not in engine.requests
    assert len(dialled) == 2


def stuck_on(exchange: ConnectionPool, engine: ScriptedEngine, within: float) -> threading.Thread:
    """A thread whose question the engine has received and does not answer."""

    def ask() -> None:
        with contextlib.suppress(TimeoutError, EOFError, OSError, HTTPException):
            exchange.ask("GET", "/hang", within=within)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    wait_for(lambda: ("GET", "/hang") in engine.requests, "the question's arrival")
    return thread


def test_a_fresh_stream_is_dialled_besides_those_that_hang() -> None:
    engine = engine_of([])
    dialled: list[Sent] = []
    with dial_of(engine, dialled) as (dial, deadline):
        exchange = ConnectionPool(dial, deadline, MAY_REMOVE)
        with hanging(engine, "GET /hang"):
            thread = stuck_on(exchange, engine, within=20)
            assert exchange.ask("GET", "/_ping", fresh=True).status == 200
        thread.join()
        exchange.close()
    assert len(dialled) == 2


class OneAtATime:
    """A way that carries one stream, as sshd does with MaxSessions 1."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self.open = False
        self.refused = 0

    def __call__(self) -> Stream:
        if self.open:
            self.refused += 1
            raise HostError(Phase.TUNNEL, "refused", "no more sessions")
        self.open = True
        stream = Sent(self._dial())
        close = stream.close

        def closed() -> None:
            close()
            self.open = False

        stream.close = closed
        return stream


def test_where_no_stream_more_is_granted_a_fresh_one_waits_for_one_that_ends() -> None:
    engine = engine_of([])
    with dial_of(engine, []) as (dial, deadline), hanging(engine, "GET /hang"):
        way = OneAtATime(dial)
        exchange = ConnectionPool(way, deadline, MAY_REMOVE)
        thread = stuck_on(exchange, engine, within=0.3)
        assert exchange.ask("GET", "/_ping", fresh=True).status == 200
        thread.join()
        exchange.close()
    assert way.refused == 1


def test_where_no_stream_more_is_granted_as_many_are_asked_for_as_there_are() -> None:
    engine = engine_of(IDS[:9])
    with dial_of(engine, []) as (dial, deadline):
        way = OneAtATime(dial)
        exchange = ConnectionPool(way, deadline, MAY_REMOVE, connections=32)
        exchange.open()
        every = [
            threading.Thread(target=exchange.ask, args=("DELETE", f"/v1.41/containers/{one}?force=True"))
            for one in IDS[:9]
        ]
        for thread in every:
            thread.start()
        for thread in every:
            thread.join()
        exchange.close()
    assert engine.containers == {}
    assert way.refused <= 8, "not once for each of the 32"
