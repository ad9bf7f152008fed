"""The words and patterns of ssh_config(5)."""

from __future__ import annotations

import pytest

from fleetsweep.ssh.config_text import first_word, matches, matches_list, split_first, split_words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Port 22", ("Port", "22")),
        ("Port=22", ("Port", "22")),
        ("Port = 22", ("Port", "22")),
        ("Port\t==22", ("Port", "=22")),
        ('"Port" 22', ("Port", "22")),
        ("Port", ("Port", "")),
        ('host "a b" c', ("host", '"a b" c')),
        ('"open', None),
    ],
)
def test_the_first_word_ends_at_a_space_or_at_one_equals_sign(text: str, expected: tuple[str, str] | None) -> None:
    assert split_first(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b", ["a", "b"]),
        ("'a b' \"c d\"", ["a b", "c d"]),
        ("a\\ b", ["a b"]),
        ('"a\\"b" \\x', ['a"b', "\\x"]),
        ("a # b", ["a"]),
        ("a#b", ["a#b"]),
        ("# b", []),
        ('""', [""]),
    ],
)
def test_words_are_split_as_by_openssh(text: str, words: list[str]) -> None:
    assert split_words(text) == words


def test_an_open_quote_is_an_error() -> None:
    with pytest.raises(ValueError, match="not closed"):
        split_words("it's")


def test_the_position_after_a_word_is_returned() -> None:
    assert first_word("'a b' c", 0) == ("a b", 5)


def test_only_two_letters_of_a_pattern_are_special() -> None:
    assert matches("box", "b?x")
    assert matches("box", "**")
    assert matches("[a]", "[a]")
    assert not matches("a", "[a]")
    assert not matches("Box", "box")


def test_a_negated_pattern_of_a_list_wins() -> None:
    assert matches_list("box", "a,b*")
    assert not matches_list("box", "*,!box")
    assert not matches_list("box", "!other")
