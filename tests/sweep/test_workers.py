"""How many hosts are worked on at once."""

from __future__ import annotations

import threading

import pytest

from fleetsweep.errors import FaultKind
from fleetsweep.model.host import Host
from fleetsweep.runtime.deadline import Deadline
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


def test_a_thread_that_was_given_up_and_comes_back_takes_no_other_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "GRACE_S", 0.02)
    threads: list[threading.Thread] = []

    def work(host: Host, deadline: Deadline) -> None:
        threads.append(threading.current_thread())
        threading.Event().wait(0.3)

    done = fleet.run(hosts(16), work, Limits(2, 0.02, WAIT_S))
    assert [one.fault and one.fault.kind for one in done] == [FaultKind.TIMEOUT] * 16
    assert len(set(map(id, threads))) == len(threads) == 16


@pytest.mark.parametrize("spread", [False, True])
def test_a_host_without_a_result_in_time_names_the_worker_only_if_one_had_it(
    monkeypatch: pytest.MonkeyPatch, spread: bool
) -> None:
    monkeypatch.setattr(fleet, "GRACE_S", 0.02)
    ended = threading.Event()
    limits = Limits(1, 0.02, WAIT_S, spread=spread)
    (done,) = fleet.run(hosts(1), lambda *_: ended.wait(WAIT_S), limits)
    ended.set()
    assert done.fault is not None
    assert "box" in done.fault.remedy
    assert ("worker" in done.fault.remedy) == spread


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
