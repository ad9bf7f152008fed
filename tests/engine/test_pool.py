"""A response that times out costs its own stream alone, and a fresh stream has reserved time."""

from __future__ import annotations

import contextlib
import gc
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException

import pytest

from fleetsweep.engine import MAY_REMOVE
from fleetsweep.engine.pool import ConnectionPool, Dial, Overdue, Stream
from fleetsweep.errors import FaultKind, HostError, Phase
from tests.engine.test_client import IDS, Sent, dial_of, engine_of
from tests.lab.process import wait_for
from tests.lab.scripted_engine import Response, ScriptedEngine


@contextmanager
def hanging(engine: ScriptedEngine, pattern: str) -> Iterator[None]:
    """While the block runs, requests that match the pattern get no response."""
    end = threading.Event()

    def hang(_: object) -> Response:
        end.wait(30)
        return Response(raw=b"")

    engine.on(pattern, hang)
    try:
        yield
    finally:
        end.set()


def test_a_response_that_times_out_costs_its_stream_and_no_other_request() -> None:
    engine = engine_of(IDS[:2])
    dialled: list[Sent] = []
    with hanging(engine, f"DELETE /containers/{IDS[0]}"), dial_of(engine, dialled) as (dial, deadline):
        pool = ConnectionPool(dial, deadline, MAY_REMOVE)
        with pytest.raises(Overdue) as overdue:
            pool.request("DELETE", f"/v1.41/containers/{IDS[0]}?force=True", within=0.1)
        assert overdue.value.seconds == 0.1
        assert pool.request("DELETE", f"/v1.41/containers/{IDS[1]}?force=True", within=10).status == 204
        pool.close()
    assert len(dialled) == 2


class Drip:
    """A stream that returns one byte of a response for each read, slowly."""

    def __init__(self) -> None:
        self.left = b"HTTP/1.1 204 No Content\r\n" + b"X-Long: 1\r\n" * 2000 + b"\r\n"

    def settimeout(self, value: float | None, /) -> None:
        """Never waits."""

    def sendall(self, data: bytes, /) -> None:
        """Accepts any request."""

    def recv(self, nbytes: int, /) -> bytes:
        time.sleep(0.001)
        found, self.left = self.left[:1], self.left[1:]
        return found

    def close(self) -> None:
        """Nothing to close."""


def test_a_dripping_stream_does_not_extend_the_timeout() -> None:
    with dial_of(engine_of([]), []) as (_, deadline):
        pool = ConnectionPool(Drip, deadline, MAY_REMOVE)
        with pytest.raises(Overdue):
            pool.request("GET", "/x", within=0.05)


def test_a_pool_that_is_dropped_frees_its_streams_at_once() -> None:
    gc.collect()
    gc.disable()
    try:
        with dial_of(engine_of(IDS[:1]), []) as (dial, deadline):
            streams: list[weakref.ref[Stream]] = []

            def watched() -> Stream:
                stream = Wrapped(dial())
                streams.append(weakref.ref(stream))
                return stream

            pool = ConnectionPool(watched, deadline, MAY_REMOVE)
            assert pool.request("GET", "/v1.41/containers/json").status == 200
            del pool
            assert [each() for each in streams] == [None]
    finally:
        gc.enable()


class Wrapped:
    """A stream that can be referred to weakly."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.settimeout, self.sendall, self.recv, self.close = (
            stream.settimeout,
            stream.sendall,
            stream.recv,
            stream.close,
        )


def test_reserved_time_is_for_a_fresh_stream_alone() -> None:
    engine = engine_of(IDS[:1])
    dialled: list[Sent] = []
    with dial_of(engine, dialled) as (dial, deadline):
        pool = ConnectionPool(dial, deadline, MAY_REMOVE)
        assert pool.request("GET", "/_ping").status == 200
        pool.reserve_time(deadline.seconds)
        with pytest.raises(TimeoutError):
            pool.request("DELETE", f"/v1.41/containers/{IDS[0]}?force=True", within=5)
        assert pool.request("GET", "/_ping", within=5, fresh=True).status == 200
        pool.close()
    assert ("DELETE", f"/containers/{IDS[0]}") not in engine.requests
    assert len(dialled) == 2


def stuck_on(pool: ConnectionPool, engine: ScriptedEngine, within: float) -> threading.Thread:
    """Start a thread whose request the engine has received and does not respond to."""

    def send() -> None:
        with contextlib.suppress(TimeoutError, EOFError, OSError, HTTPException):
            pool.request("GET", "/hang", within=within)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    wait_for(lambda: ("GET", "/hang") in engine.requests, "the request's arrival")
    return thread


def test_a_fresh_stream_is_dialled_beside_those_that_hang() -> None:
    engine = engine_of([])
    dialled: list[Sent] = []
    with dial_of(engine, dialled) as (dial, deadline):
        pool = ConnectionPool(dial, deadline, MAY_REMOVE)
        with hanging(engine, "GET /hang"):
            thread = stuck_on(pool, engine, within=20)
            assert pool.request("GET", "/_ping", fresh=True).status == 200
        thread.join()
        pool.close()
    assert len(dialled) == 2


class OneAtATime:
    """A dial that allows one open stream, like sshd with MaxSessions 1."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self.open = False
        self.refused = 0

    def __call__(self) -> Stream:
        if self.open:
            self.refused += 1
            raise HostError(Phase.TUNNEL, FaultKind.REFUSED, "no more sessions")
        self.open = True
        stream = Sent(self._dial())
        close = stream.close

        def closed() -> None:
            close()
            self.open = False

        stream.close = closed
        return stream


def test_if_no_further_stream_is_granted_a_fresh_one_waits_for_one_to_end() -> None:
    engine = engine_of([])
    with dial_of(engine, []) as (dial, deadline), hanging(engine, "GET /hang"):
        route = OneAtATime(dial)
        pool = ConnectionPool(route, deadline, MAY_REMOVE)
        thread = stuck_on(pool, engine, within=0.3)
        assert pool.request("GET", "/_ping", fresh=True).status == 200
        thread.join()
        pool.close()
    assert route.refused == 1


def test_the_limit_is_lowered_to_the_streams_that_are_granted() -> None:
    engine = engine_of(IDS[:9])
    with dial_of(engine, []) as (dial, deadline):
        route = OneAtATime(dial)
        pool = ConnectionPool(route, deadline, MAY_REMOVE, connections=32)
        pool.open()
        every = [
            threading.Thread(target=pool.request, args=("DELETE", f"/v1.41/containers/{one}?force=True"))
            for one in IDS[:9]
        ]
        for thread in every:
            thread.start()
        for thread in every:
            thread.join()
        pool.close()
    assert engine.containers == {}
    assert route.refused <= 8, "not once for each of the 32"
