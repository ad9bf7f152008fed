"""Durations as people say them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.model.durations import compared, in_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.9, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (301, "5 min 1 s"),
        (3_600, "1 h"),
        (3_659, "1 h"),
        (7_200 + 600, "2 h 10 min"),
        (86_400 + 59 * 60, "1 d"),
        (180_268, "2 d 2 h"),
        (-90, "-1 min 30 s"),
        (-0.5, "0 s"),
        (float("inf"), "inf s"),
        (float("nan"), "nan s"),
    ],
)
def test_a_duration_has_at_most_two_neighbouring_units(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_durations_that_differ_never_read_the_same() -> None:
    assert compared(180_268, 7_200) == ["2 d 2 h", "2 h"]
    assert compared(172_801, 172_800) == ["2 d 1 s", "2 d"]
    assert compared(3_600, 3_600) == ["1 h", "1 h"]


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_a_comparison_is_exact_enough_to_tell_which_is_longer(first: int, second: int) -> None:
    words = compared(first, second)
    assert (words[0] == words[1]) == (first == second)
    sizes = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}
    for text, seconds in zip(words, (first, second), strict=True):
        read = sum(int(number) * sizes[unit] for number, unit in re.findall(r"(\d+) (\w+)", text))
        assert read <= seconds < read + max(3_600, seconds // 24)
