"""Numbers of ASCII digits only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.model.numerals import MOST_DIGITS, decimal, whole


@pytest.mark.parametrize("text", ["0", "7", "007", " 12\t", "9" * MOST_DIGITS])
def test_digits_are_a_number(text: str) -> None:
    assert whole(text) == int(text)
    assert decimal(text) == float(text)


@pytest.mark.parametrize(
    "text", ["", " ", "-1", "+1", "1_0", "1e3", "0x1", "inf", "nan", "\u0661", "\uff11", "²", "1\n", "1 0", "9" * 19]
)
def test_every_other_spelling_is_none(text: str) -> None:
    assert whole(text) is None
    assert decimal(text) is None


def test_a_fraction_needs_digits_on_both_sides() -> None:
    assert decimal("2.50") == 2.5
    assert whole("2.0") is None
    assert [decimal(text) for text in (".5", "5.", "1,5", "1.2.3", "1.-2")] == [None] * 5


@given(st.integers(0, 10**MOST_DIGITS - 1))
def test_every_number_in_range_is_read_back(number: int) -> None:
    assert whole(str(number)) == number


@given(st.text(max_size=6))
def test_no_text_raises_and_a_number_has_only_ascii_digits(text: str) -> None:
    found = whole(text)
    assert found is None or set(text.strip(" \t")) <= set("0123456789")
