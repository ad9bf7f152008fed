"""Tables and sentences in the width of a terminal."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.report.escape import printable
from fleetsweep.report.fit import (
    Column,
    Cut,
    cell_width,
    cut_end,
    cut_middle,
    cut_names,
    name_column,
    number_column,
    table,
    text_column,
    wrap,
    wrap_command,
    wrap_remedy,
)
from tests.report.hostile import texts

COLUMNS = (name_column("HOST"), Column("STATUS"), number_column("STALE"), number_column("TIME", rank=1))
ROW = ["runner-0001.eu-west-1.example.com", "unreachable", "0", "10s"]

wide = st.one_of(
    texts.map(printable),
    st.text(alphabet="界한あ🎉e\u0301שלם -", max_size=40).map(printable),
    st.text(max_size=40).map(printable),
)


def test_without_a_width_nothing_is_cut_or_left_out() -> None:
    assert table(COLUMNS, [ROW]) == [
        "HOST                               STATUS       STALE  TIME",
        "runner-0001.eu-west-1.example.com  unreachable      0   10s",
    ]


def test_names_are_cut_in_their_middle_before_a_column_is_left_out() -> None:
    assert table(COLUMNS, [ROW], 48) == [
        "HOST                    STATUS       STALE  TIME",
        "runner-0001.eu-w…e.com  unreachable      0   10s",
    ]


def test_names_are_cut_where_they_stay_different() -> None:
    fleet = [f"runner-{number}.eu-west-1.ci.example.com" for number in (1, 2)]
    assert cut_names(fleet, 12) == ["runner-1…com", "runner-2…com"]
    thirteen = [f"runner-{number}3.ci.example.com" for number in (1, 2)]
    assert cut_names(thirteen, 12) == ["runner-13…om", "runner-23…om"]
    assert len(set(cut_names([f"workspace-molecule-default-{number}" for number in range(20)], 14))) == 20


def test_columns_that_do_not_fit_are_left_out_by_their_rank_and_named() -> None:
    assert table(COLUMNS, [ROW], 34) == [
        "HOST            STATUS       STALE",
        "runner-000…com  unreachable      0",
        "(not shown at this width: TIME)",
    ]


def test_a_column_without_a_value_is_left_out_first() -> None:
    columns = (name_column("HOST"), number_column("A", rank=1), number_column("N" * 16, rank=9))
    assert table(columns, [["h" * 20, "-", "1"]], 30)[-1] == "(not shown at this width: A)"


def test_a_sentence_is_wrapped_inside_its_column() -> None:
    lines = table((Column("ID"), text_column("DETAIL")), [["1", "the quick brown fox jumps over"], ["2", "it"]], 25)
    assert lines == ["ID  DETAIL", "1   the quick brown fox", "    jumps over", "2   it"]


def test_a_wide_character_takes_two_cells_and_the_columns_stay_aligned() -> None:
    first, second = table((name_column("H"), Column("S")), [["界界", "ok"], ["abcd", "ok"]])[1:]
    assert first == "界界  ok"
    assert second == "abcd  ok"


@given(st.lists(st.tuples(wide, wide, wide, wide), min_size=1, max_size=4), st.integers(10, 90))
def test_no_line_of_a_table_is_wider_than_the_width(rows: list[tuple[str, ...]], width: int) -> None:
    columns = (name_column("HOST"), number_column("N"), Column("NOTE", cut=Cut.END, least=4), text_column("D", rank=1))
    assert max(map(cell_width, table(columns, rows, width))) <= width


@given(wide, st.integers(1, 50))
def test_a_cut_is_exact_and_marked(text: str, width: int) -> None:
    for cut in (cut_end(text, width), cut_middle(text, width)):
        assert cell_width(cut) <= width
        assert cut == text or "…" in cut
        assert cut == text or cell_width(cut) >= width - 2


def test_folded_names_keep_their_first_names() -> None:
    names = [f"runner-[{number:03},{number + 20:03},…12 more].example.com" for number in (3, 7)]
    assert cut_names(names, 18) == ["runner-[003,023,…", "runner-[007,027,…"]


@given(wide, st.integers(4, 50))
def test_wrapping_loses_nothing_but_the_spaces_where_it_breaks(text: str, width: int) -> None:
    lines = wrap(text, width, "  ")
    assert max(map(cell_width, lines)) <= width
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_a_list_of_names_is_broken_after_a_comma() -> None:
    assert wrap("runner-[01-04,06-12,14]: no route", 16, "  ") == ["runner-[01-04,", "  06-12,14]: no", "  route"]


@given(st.lists(st.text(alphabet="ab '\"\\$", min_size=1, max_size=12), min_size=1, max_size=6), st.integers(12, 30))
def test_a_wrapped_command_is_the_same_command_for_a_shell(words: list[str], width: int) -> None:
    command = shlex.join(words)
    lines = wrap_command(command, width, "$ ", "  ")
    assert all(line.endswith("\\") for line in lines[:-1])
    assert all(cell_width(line) <= width for line in lines)
    # A shell takes a backslash and the newline after it out before it reads words.
    assert shlex.split("\n".join(lines).removeprefix("$ ").replace("\\\n", "")) == words


def test_a_word_that_is_too_long_for_a_line_is_one_word_for_a_shell() -> None:
    words = ["printf", "%s|", "it's " + "a b" * 20, "/a/very/long/" + "path/" * 20, "x"]
    quoted = f'{shlex.join(words)} "an \\"inner\\" $HOME quote{"-" * 40}"'
    lines = wrap_command(quoted, 30, "", "    ")
    assert max(map(len, lines)) <= 30
    printed = [
        subprocess.run(["/bin/sh", "-c", text], check=True, capture_output=True, text=True).stdout
        for text in (quoted, "\n".join(lines))
    ]
    assert printed[0] == printed[1]
    assert printed[0].count("|") == 4


def test_a_command_in_a_remedy_is_on_lines_of_its_own_that_can_be_pasted() -> None:
    remedy = "  compare the key on the box, then: ssh-keyscan -p 2201 192.0.2.1 | tee -a known_hosts"
    assert wrap_remedy(remedy, 50, "    ") == [
        "  compare the key on the box, then:",
        "    ssh-keyscan -p 2201 192.0.2.1 | tee -a \\",
        "    known_hosts",
    ]
    assert wrap_remedy("raise --host-timeout", 50) == ["raise --host-timeout"]


@pytest.mark.parametrize("command", ["a  b" + " c" * 30, "echo 'not closed" + " c" * 30])
def test_a_command_that_can_not_be_split_safely_stays_whole(command: str) -> None:
    assert wrap_command(command, 20) == [command]
