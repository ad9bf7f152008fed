"""How many hosts are worked on at once, and what threads that want the same thing at once are given."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.model.host import Host
from fleetsweep.runtime.deadline import Deadline
from fleetsweep.ssh.cache import single_flight
from fleetsweep.ssh.transport import _ReadAhead
from fleetsweep.sweep import workers as fleet
from fleetsweep.sweep.workers import Limits

MANY = 100
WAIT_S = 20


def hosts(count: int) -> list[Host]:
    return [Host(f"runner-{number}", "127.0.0.1") for number in range(count)]


def test_as_many_hosts_are_worked_on_at_once_as_forks_allow() -> None:
    everybody = threading.Barrier(MANY)
    done = fleet.run(hosts(MANY), lambda *_: everybody.wait(WAIT_S), Limits(MANY, WAIT_S, WAIT_S))
    assert sorted(one.value for one in done if one.value is not None) == list(range(MANY))


@pytest.mark.parametrize("forks", [1, 7, 33])
def test_never_more_hosts_at_once_than_forks(forks: int) -> None:
    lock, at_once, most = threading.Lock(), 0, 0
    # Nobody goes on before all that may be at work are.
    full = threading.Barrier(forks)

    def work(host: Host, deadline: Deadline) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        full.wait(WAIT_S)
        with lock:
            at_once -= 1

    done = fleet.run(hosts(2 * forks), work, Limits(forks, WAIT_S, WAIT_S))
    assert [one.fault for one in done] == [None] * (2 * forks)
    assert most == forks


def test_threads_that_want_the_same_at_once_have_it_made_once() -> None:
    together, made = threading.Barrier(8), []

    @single_flight
    def make(name: str) -> str:
        made.append(name)
        return name.upper()

    def ask(_: int) -> str:
        together.wait(WAIT_S)
        return make("a")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == ["A"] * 8
    assert made == ["a"]


def test_what_could_not_be_made_is_tried_again() -> None:
    tries: list[str] = []

    @single_flight
    def make(name: str) -> str:
        tries.append(name)
        if len(tries) == 1:
            raise OSError(name)
        return name

    with pytest.raises(OSError, match="a"):
        make("a")
    assert make("a") == "a"
    assert tries == ["a", "a"]


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.lists(st.integers(1, 60), min_size=1, max_size=8))
def test_reading_ahead_loses_no_byte_and_gives_no_more_than_was_asked_for(
    pieces: list[bytes], counts: list[int]
) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            for piece in pieces:
                theirs.sendall(piece)
        reader, came, turn = _ReadAhead(ours), b"", 0
        while got := reader.recv(counts[turn % len(counts)]):
            assert len(got) <= counts[turn % len(counts)]
            came, turn = came + got, turn + 1
        assert came == b"".join(pieces)
        assert reader.recv(1) == b""
