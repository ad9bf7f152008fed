"""The shared memory budget: never overdrawn, granted in order, and fully released on every path."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetsweep.engine.budget import DECODING, LARGE, SMALL, TOTAL, Budget, MemoryPool, Reservation

KIB = 1024


def test_the_pools_together_are_the_whole_budget() -> None:
    budget = Budget()
    assert budget.small.size + budget.large.size + budget.decoding.size == TOTAL
    assert budget.large.size >= 2 * LARGE, "one slow engine must not hold all of it"
    assert budget.small.size >= 4 * SMALL
    assert budget.decoding.size == DECODING


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.integers(1, 64 * KIB * KIB)),
        st.tuples(st.just("decode"), st.integers(1, 100 * KIB * KIB)),
        st.tuples(st.just("release"), st.just(0)),
    ),
    max_size=8,
)


@given(st.lists(STEPS, min_size=1, max_size=6), st.sampled_from([0.0, 20.0]))
@settings(max_examples=30)
def test_threads_finish_whatever_they_reserve_and_release_everything(
    threads_steps: list[list[tuple[str, int]]], timeout_s: float
) -> None:
    budget = Budget(small=9 * KIB * KIB)

    def work(steps: list[tuple[str, int]]) -> None:
        reservation = Reservation(budget, lambda: timeout_s)
        # As with a response: decoding follows reading, and reading starts with nothing reserved.
        decoding = False
        try:
            for what, size in steps:
                if what == "decode":
                    reservation.reserve_decoding(size)
                    decoding = True
                elif what == "release" or decoding:
                    reservation.release()
                    decoding = False
                if what == "reserve":
                    reservation.reserve(size, 64 * KIB * KIB)
        except TimeoutError:
            assert timeout_s == 0.0
        finally:
            reservation.release()

    threads = [threading.Thread(target=work, args=(steps,)) for steps in threads_steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    for pool in (budget.small, budget.large, budget.decoding):
        assert pool.left == pool.size


def test_the_first_in_the_queue_is_served_first_even_if_a_later_one_would_fit() -> None:
    pool = MemoryPool(10)
    pool.acquire(8, lambda: 0.0)
    served: list[int] = []

    def acquire(size: int) -> None:
        pool.acquire(size, lambda: 30.0)
        served.append(size)
        pool.release(size)

    threads = []
    for size in (9, 2):
        threads.append(threading.Thread(target=acquire, args=(size,)))
        threads[-1].start()
        until = time.monotonic() + 30
        while len(pool._queue) < len(threads) and time.monotonic() < until:
            time.sleep(0.001)
    assert not pool.try_acquire(1), "a new request does not overtake the queue"
    pool.release(8)
    for thread in threads:
        thread.join(30)
    assert served == [9, 2]
    assert pool.left == 10


def test_a_waiter_that_times_out_leaves_the_queue_to_the_next() -> None:
    pool = MemoryPool(10)
    pool.acquire(8, lambda: 0.0)
    with pytest.raises(TimeoutError):
        pool.acquire(9, lambda: 0.0)
    pool.acquire(2, lambda: 0.0)
    pool.release(10)
    assert pool.left == 10


def test_a_small_response_never_waits_for_another_engine() -> None:
    budget = Budget()
    slow = Reservation(budget, lambda: 0.0)
    slow.reserve(60 * KIB * KIB, 64 * KIB * KIB)
    others = [Reservation(budget, lambda: 0.0) for _ in range(200)]
    for other in others:
        other.reserve(100 * KIB, 64 * KIB * KIB)
    large = Reservation(budget, lambda: 0.0)
    large.reserve(60 * KIB * KIB, 64 * KIB * KIB)
    for reservation in (slow, large, *others):
        reservation.release()
    assert budget.large.left == budget.large.size


def test_each_thread_has_its_own_reservation() -> None:
    budget = Budget()
    mine = budget.begin(lambda: 1.0)
    found: list[Reservation] = []
    thread = threading.Thread(target=lambda: found.append(budget.current))
    thread.start()
    thread.join()
    assert budget.current is mine
    assert found[0] is not mine
