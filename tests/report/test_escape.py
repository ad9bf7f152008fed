"""Escaping: no text from a box is interpreted, hidden or lost without a trace."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.report.escape import csv_cell, markdown_text, printable, well_formed
from tests.report.hostile import NASTY, texts


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ws-1", "ws-1"),
        ("naïve 容器 🐳", "naïve 容器 🐳"),
        ("\x1b[31m", r"\x1b[31m"),
        ("a\nb\rc\td", r"a\x0ab\x0dc\x09d"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        ("\u202egpj.exe\u2066", r"\u202egpj.exe\u2066"),
        ("ws\u200b-1\ufeff", r"ws\u200b-1\ufeff"),
        ("a\u2028b\u2029c\x85d", r"a\u2028b\u2029c\x85d"),
        ("no\xa0break", r"no\xa0break"),
        ("\udcff\ud83d", r"\udcff\ud83d"),
        ("blank\u3164\u2800", r"blank\u3164\u2800"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("❤\ufe0f", r"❤\ufe0f"),
        ("", ""),
    ],
)
def test_characters_that_a_terminal_interprets_or_hides_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_text_of_just_the_limit_is_whole_and_a_longer_one_is_cut() -> None:
    assert printable("a" * 10, 10) == "a" * 10
    assert printable("a" * 11, 10) == "a" * 9 + "…"


def test_no_escape_is_cut_in_two() -> None:
    assert printable("abc\x1b\x1b", 8) == r"abc\x1b…"
    assert printable("\x1b", 3) == "…"


def test_a_megabyte_is_cut_without_being_read() -> None:
    start = time.process_time()
    for _ in range(100):
        assert len(printable("\x1b]52;" * 200_000)) <= 400
    assert time.process_time() - start < 5


@given(texts, st.integers(1, 100))
def test_any_text_becomes_printable_and_keeps_to_the_limit(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit
    assert printable(shown, limit) == shown
    shown.encode("utf-8")


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", " =1", "\u3000=1", "\uff1d1"])
def test_a_formula_is_text_to_a_spreadsheet(text: str) -> None:
    assert csv_cell(text).startswith("'")


@pytest.mark.parametrize("text", ["ws-1", "a=1", "1-2", "", "'quoted'"])
def test_text_that_is_no_formula_is_unchanged(text: str) -> None:
    assert csv_cell(text) == text


@given(texts)
def test_no_cell_begins_as_a_formula_does(text: str) -> None:
    assert csv_cell(text).lstrip()[:1] not in tuple("=+-@＝＋－＠")  # noqa: RUF001


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ws-1", "ws-1"),
        ("a|b", r"a\|b"),
        ("`rm`", r"\`rm\`"),
        ("**b** _i_ ~~s~~", r"\*\*b\*\* \_i\_ \~\~s\~\~"),
        ("[x](http://x)", r"\[x\](http\://x)"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("a\\|b", r"a\\\|b"),
        ("# $1 !@", r"\# \$1 \!\@"),
        ("a\nb", r"a\\x0ab"),
        ("1:2", "1:2"),
    ],
)
def test_markdown_and_html_mean_nothing(text: str, shown: str) -> None:
    assert markdown_text(text) == shown


@pytest.mark.parametrize("text", NASTY)
def test_a_well_formed_text_keeps_all_but_its_surrogates(text: str) -> None:
    formed = well_formed(text)
    formed.encode("utf-8")
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert formed == text
