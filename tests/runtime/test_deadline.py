"""Deadlines, and the watchdog that acts on them."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from fleetsweep.runtime.deadline import Deadline, Watchdog

WAIT_S = 20.0


def test_callbacks_run_in_the_order_of_their_instants_not_of_their_calls() -> None:
    order: list[str] = []
    last = threading.Event()
    now = time.monotonic()

    def record(name: str) -> None:
        order.append(name)
        if len(order) == 3:
            last.set()

    with Watchdog() as watchdog:
        for name, seconds in (("late", 0.03), ("early", 0.01), ("middle", 0.02)):
            watchdog.call_at(now + seconds, lambda name=name: record(name))  # type: ignore[misc]
        assert last.wait(WAIT_S)
    assert order == ["early", "middle", "late"]


def test_a_new_earliest_alarm_wakes_the_watchdog() -> None:
    called = threading.Event()
    with Watchdog() as watchdog:
        for seconds in (60, 30, 90):
            watchdog.call_at(time.monotonic() + seconds, lambda: None)
        watchdog.call_at(time.monotonic() + 0.01, called.set)
        assert called.wait(WAIT_S)


def test_leaving_runs_the_callbacks_that_are_left_but_not_the_cancelled_ones() -> None:
    ran: list[str] = []
    with Watchdog() as watchdog:
        watchdog.call_at(time.monotonic() + 3600, lambda: ran.append("left"))
        watchdog.call_at(time.monotonic() + 3600, lambda: ran.append("cancelled"))()
    assert ran == ["left"]


def test_after_the_end_a_callback_runs_at_once() -> None:
    ran: list[str] = []
    with Watchdog() as watchdog:
        pass
    watchdog.call_at(time.monotonic() + 3600, lambda: ran.append("at once"))()
    assert ran == ["at once"]


def test_a_callback_that_fails_does_not_end_the_watchdog() -> None:
    called = threading.Event()

    def fail() -> None:
        raise OSError("stubborn")

    with Watchdog() as watchdog:
        watchdog.call_at(time.monotonic(), fail)
        watchdog.call_at(time.monotonic() + 0.001, called.set)
        assert called.wait(WAIT_S)


def test_a_deadline_within_another_is_never_later() -> None:
    with Watchdog() as watchdog:
        outer = Deadline(10, watchdog)
        assert outer.within(60).instant <= outer.instant + 1e-3
        inner = outer.within(1)
        assert inner.instant < outer.instant
        assert (inner.seconds, outer.seconds) == (1, 10)


@pytest.mark.parametrize(("seconds", "expired"), [(-1, True), (0, True), (60, False)])
def test_a_deadline_expires_and_has_no_negative_time_left(seconds: float, expired: bool) -> None:
    with Watchdog() as watchdog:
        deadline = Deadline(seconds, watchdog)
        assert deadline.expired is expired
        assert (deadline.remaining() > 0) is not expired


def test_a_blocked_read_ends_when_its_socket_is_shut_at_the_deadline() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Watchdog() as watchdog:
        ours.settimeout(WAIT_S)
        with Deadline(0.01, watchdog).closing(lambda: ours.shutdown(socket.SHUT_RDWR)):
            assert ours.recv(1) == b""


def test_a_block_that_ends_in_time_is_not_closed() -> None:
    closed: list[bool] = []
    with Watchdog() as watchdog, Deadline(3600, watchdog).closing(lambda: closed.append(True)):
        pass
    assert closed == []
