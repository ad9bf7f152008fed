"""Lists of hosts in few words, which expand to the same hosts."""

from __future__ import annotations

import itertools
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.inventory import fold

WHOLE = 1_000_000


def expand(text: str) -> list[str]:
    """Return the names in a folded list. This follows the format's description, not the code that folds."""
    names: list[str] = []
    for item in text.split(", ") if text else []:
        choices = []
        for piece in re.findall(r"\[[^\]]*\]|[^\[\]]+", item):
            if not piece.startswith("["):
                choices.append([piece])
                continue
            numbers = []
            for run in piece[1:-1].split(","):
                first, _, last = run.partition("-")
                numbers += [str(number).zfill(len(first)) for number in range(int(first), int(last or first) + 1)]
            choices.append(numbers)
        names += ["".join(parts) for parts in itertools.product(*choices)]
    return names


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        ("", ""),
        ("a", "a"),
        ("a a", "a"),
        ("b a", "a, b"),
        ("web-1", "web-1"),
        ("web-1 web-2", "web-[1-2]"),
        ("web-1 web-3", "web-[1,3]"),
        ("web-9 web-10 web-11", "web-[9-11]"),
        ("web-09 web-10 web-11", "web-[09-11]"),
        ("web-9 web-09", "web-[9,09]"),
        ("web-8 web-9 web-10 web-08 web-09", "web-[8-10,08-09]"),
        ("web-099 web-100 web-98", "web-[98,099-100]"),
        ("web-00 web-01 web-0", "web-[0,00-01]"),
        ("1 2 3 x", "[1-3], x"),
        ("10.0.0.1 10.0.0.2 10.0.1.1", "10.0.0.[1-2], 10.0.1.1"),
        ("a1-1 a1-2 a2-1 a2-2", "a[1-2]-[1-2]"),
        ("a1-1 a1-2 a2-1 a2-2 a3-1", "a[1-2]-[1-2], a3-1"),
        ("a1-1 a1-2 a2-1", "a1-[1-2], a2-1"),
        ("r1.x r2.x r1.y", "r1.y, r[1-2].x"),
        ("n-12345678901234567890 n-12345678901234567891", "n-12345678901234567890, n-12345678901234567891"),
    ],
)
def test_what_differs_is_folded_and_the_rest_stays_as_it_is(names: str, folded: str) -> None:
    assert sorted(fold(names.split()).split(", ")) == sorted(folded.split(", "))


def test_a_fleet_is_one_word() -> None:
    fleet = [f"runner-{number:02}.example.com" for number in [*range(1, 41), 44]]
    assert fold(fleet) == "runner-[01-40,44].example.com"


def test_the_list_is_in_natural_order() -> None:
    assert fold(["web-2x", "b", "web-10y", "a-9", "a-x", "a-10"]) == "a-[9-10], a-x, b, web-2x, web-10y"


def test_what_does_not_fit_is_counted() -> None:
    odd = [f"n{number}" for number in range(1, 2000, 2)]
    assert fold(odd, 40) == "n[1,3,5,7,9,11,13,15,17] and 991 more"
    assert fold(["alpha", "beta", "gamma"], 20) == "alpha and 2 more"
    assert fold(["x" * 50], 20) == "1 host"
    assert fold(["x" * 50, "y" * 50], 20) == "2 hosts"


def test_a_name_with_very_many_numbers_costs_no_more_than_another() -> None:
    names = [".".join(str(number + at) for at in range(100)) for number in range(200)]
    assert sorted(expand(fold(names, WHOLE))) == sorted(names)


NUMBERS = st.one_of(
    st.integers(0, 12).map(str), st.integers(0, 120).map("{:02}".format), st.integers(95, 105).map("{:03}".format)
)
NAMES = st.one_of(
    st.tuples(st.sampled_from(["a-", "", "web"]), NUMBERS, st.sampled_from(["", ".x", ".y"])).map("".join),
    st.tuples(st.just("r"), NUMBERS, st.just("-"), NUMBERS).map("".join),
    st.tuples(*[st.integers(0, 2).map(str)] * 3).map(".".join),
    st.from_regex(r"[a-z0-9._-]{1,12}", fullmatch=True),
).filter(bool)


@given(st.lists(NAMES, max_size=60))
def test_a_folded_list_expands_to_the_same_names_each_once(names: list[str]) -> None:
    assert sorted(expand(fold(names, WHOLE))) == sorted(set(names))


@given(st.lists(NAMES, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_the_names_makes_no_difference(names: list[str], chance: random.Random) -> None:
    mixed = names * 2
    chance.shuffle(mixed)
    assert fold(mixed) == fold(names)


@given(st.lists(NAMES, min_size=1, max_size=80), st.integers(12, 120))
def test_the_length_is_bounded_and_every_host_is_shown_or_counted(names: list[str], limit: int) -> None:
    text = fold(names, limit)
    assert len(text) <= limit
    cut = re.fullmatch(r"(.*) and (\d+) more", text)
    if re.fullmatch(r"\d+ hosts?", text):
        assert int(text.split()[0]) == len(set(names))
        return
    shown = expand(cut[1] if cut else text)
    assert set(shown) <= set(names)
    assert len(shown) + int(cut[2] if cut else 0) == len(set(names))
