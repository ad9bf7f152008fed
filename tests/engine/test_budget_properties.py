"""The memory that answers share: never more than there is, in turn, and all of it back in every way out."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetsweep.engine.budget import DECODING, LARGE, SMALL, TOTAL, Budget, Hold, Room

KIB = 1024


def test_the_rooms_together_are_the_whole_budget() -> None:
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
def test_threads_end_whatever_they_ask_for_and_give_everything_back(
    threads_steps: list[list[tuple[str, int]]], patience_s: float
) -> None:
    budget = Budget(small=9 * KIB * KIB)

    def work(steps: list[tuple[str, int]]) -> None:
        hold = Hold(budget, lambda: patience_s)
        # As an answer does: what decodes has read before, and reading begins with nothing in hand.
        decoding = False
        try:
            for what, size in steps:
                if what == "decode":
                    hold.decode(size)
                    decoding = True
                elif what == "release" or decoding:
                    hold.release()
                    decoding = False
                if what == "reserve":
                    hold.reserve(size, 64 * KIB * KIB)
        except TimeoutError:
            assert patience_s == 0.0
        finally:
            hold.release()

    threads = [threading.Thread(target=work, args=(steps,)) for steps in threads_steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    for room in (budget.small, budget.large, budget.decoding):
        assert room.left == room.size


def test_who_asked_first_is_served_first_though_a_later_one_would_fit() -> None:
    room = Room(10)
    room.take(8, lambda: 0.0)
    served: list[int] = []

    def ask(size: int) -> None:
        room.take(size, lambda: 30.0)
        served.append(size)
        room.give(size)

    threads = []
    for size in (9, 2):
        threads.append(threading.Thread(target=ask, args=(size,)))
        threads[-1].start()
        until = time.monotonic() + 30
        while len(room._line) < len(threads) and time.monotonic() < until:
            time.sleep(0.001)
    assert not room.take_at_once(1), "nobody goes before those who wait"
    room.give(8)
    for thread in threads:
        thread.join(30)
    assert served == [9, 2]
    assert room.left == 10


def test_who_gives_up_lets_the_next_one_have_the_turn() -> None:
    room = Room(10)
    room.take(8, lambda: 0.0)
    with pytest.raises(TimeoutError):
        room.take(9, lambda: 0.0)
    room.take(2, lambda: 0.0)
    room.give(10)
    assert room.left == 10


def test_no_engine_waits_for_another_with_a_small_answer() -> None:
    budget = Budget()
    slow = Hold(budget, lambda: 0.0)
    slow.reserve(60 * KIB * KIB, 64 * KIB * KIB)
    others = [Hold(budget, lambda: 0.0) for _ in range(200)]
    for other in others:
        other.reserve(100 * KIB, 64 * KIB * KIB)
    large = Hold(budget, lambda: 0.0)
    large.reserve(60 * KIB * KIB, 64 * KIB * KIB)
    for hold in (slow, large, *others):
        hold.release()
    assert budget.large.left == budget.large.size


def test_a_thread_has_one_hold_and_another_thread_has_another() -> None:
    budget = Budget()
    mine = budget.begin(lambda: 1.0)
    found: list[Hold] = []
    thread = threading.Thread(target=lambda: found.append(budget.mine))
    thread.start()
    thread.join()
    assert budget.mine is mine
    assert found[0] is not mine
