"""Patterns mean what they mean to Python's ``re``, and matching ends in time."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from fleetsweep.model.timed_regex import Matcher, PatternTimeout, _bounded_pattern, check, match_prefix

ATOMS = st.sampled_from(
    ["a", "b", "-", ".", "^", "$", r"\d", r"\w", r"\s", r"\S", r"\W", r"\b", r"\B", r"\A", r"\Z", "[a-c]", "[^a]",
     "[]a]", "[a{e}]", r"\{", r"\.", r"\x61", r"\u0061", r"\N{LATIN SMALL LETTER A}", "{e}", "{", "}", "{}", "{i<=1}",
     "{a,b}", r"\\",
     "(?=a)", "(?!b)", "(?<=a)", "(?<!b)", "é", " ", "#", "0", "1", "&", "~"]
)  # fmt: skip
REPEATS = st.sampled_from(
    ["", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{,2}", "{1,}", "{,}", "*+", "++", "{1,2}?"]
)
PATTERNS = st.recursive(
    st.builds(str.__add__, ATOMS, REPEATS),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=1, max_size=3).map("|".join),
        st.builds(
            lambda opening, body, repeat: f"{opening}{body}){repeat}",
            st.sampled_from(["(", "(?:", "(?>", "(?i:", "(?s:", "(?x:", "(?=", "(?!", "(?P<n>"]),
            inner,
            REPEATS,
        ),
    ),
    max_leaves=8,
)
# Not the empty text: whether \\B is in it changed from one Python to the next.
TEXTS = st.text(st.sampled_from("aAbBc-. _0é{}e\n\\&~"), min_size=1, max_size=12)


def usable(pattern: str) -> bool:
    try:
        check(pattern)
    except ValueError:
        return False
    return True


@given(pattern=PATTERNS, text=TEXTS)
@example(pattern=r"(?:a\{e}b*)c*", text="a{eb")
@example(pattern="(a){e}b*", text="x")
@example(pattern=r"a*\\{e}b*", text="\\{e}")
def test_a_pattern_finds_in_time_what_python_finds(pattern: str, text: str) -> None:
    assume(usable(pattern))
    with warnings.catch_warnings(action="ignore"):
        expected = re.compile(pattern)
    bounded = _bounded_pattern(pattern)
    assert (bounded.search(text) is None) is (expected.search(text) is None)
    assert (bounded.match(text) is None) is (expected.match(text) is None)


SLOW = "^ws-.*-.*-tmp$"
ENDLESS = "ws-" + "-" * 100_000


def test_a_text_that_takes_too_long_is_unknown_and_others_still_match() -> None:
    matcher = Matcher()
    assert matcher.any((SLOW,), ENDLESS) is None
    assert matcher.any((SLOW,), "ws-a-b-tmp")
    assert matcher.any((SLOW,), "ws-a-b-temp") is False


def test_one_matching_pattern_is_enough_however_long_another_takes() -> None:
    assert Matcher().any((SLOW, "^ws-"), ENDLESS)
    assert Matcher().any((SLOW, "^ws-(a*|-+)+$"), ENDLESS)


def test_all_texts_of_one_host_share_a_budget_and_what_is_known_costs_nothing() -> None:
    matcher = Matcher()
    for number in range(1000):
        assert matcher.any((SLOW,), f"{ENDLESS}{number % 50}") is None
    assert matcher._left_s > -1


def test_the_names_of_an_inventory_are_matched_in_time_or_not_at_all() -> None:
    assert match_prefix("(?:a|b)+1$", ["ab1", "ab2", "xab1"]) == ["ab1"]
    with pytest.raises(PatternTimeout):
        match_prefix(SLOW, ["ws-a-b-tmp", ENDLESS])


@pytest.mark.parametrize(
    "pattern", ["(", "a**", "[[a]]", "(?:(?:a{1000}){1000}){1000}", "(a+)" * 3000, "(?P<DEFINE>a)(?(DEFINE)b+|c)", "+"]
)
def test_what_is_no_pattern_or_can_not_be_bounded_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        check(pattern)
