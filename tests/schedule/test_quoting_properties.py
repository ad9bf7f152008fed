"""A quoted word reaches fleetsweep unchanged, whatever starts it."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsweep.errors import UsageError
from fleetsweep.schedule import quoting
from tests.lab import crontab, systemd

PRINTABLE = st.text(st.characters(codec="utf-8").filter(str.isprintable), max_size=30)
HOSTILE = st.text(st.sampled_from("\\%$'\"{} ;#=ä-~!`ns"), max_size=30)
WORDS = st.lists(PRINTABLE | HOSTILE, max_size=6)


@given(WORDS)
def test_systemd_splits_a_command_into_the_same_words(words: list[str]) -> None:
    command = ["/opt/a b/$100%/fleetsweep", *words]
    assert systemd.words(quoting.systemd_words(command)) == command


@given(WORDS, st.booleans())
def test_cron_and_its_shell_split_a_command_into_the_same_words(words: list[str], halves: bool) -> None:
    (entry,) = crontab.entries(
        f"17 * * * * fleetsweep {quoting.cron_words(['/opt/fleetsweep', *words])}\n", halves_backslashes=halves
    )
    assert shlex.split(entry.command) == ["/opt/fleetsweep", *words]


@given(st.text(), st.sampled_from("\n\r\t\0\v\f\x1b\x7f\x85\u2028\u2029\ud800"), st.text())
def test_a_character_that_would_end_a_line_is_refused(before: str, end: str, after: str) -> None:
    with pytest.raises(UsageError, match="unprintable character"):
        quoting.check_line("--name", before + end + after)


@given(PRINTABLE | HOSTILE)
def test_an_accepted_word_stays_on_one_line(text: str) -> None:
    assert len(quoting.check_line("--name", text).splitlines()) <= 1
    assert "\n" not in quoting.systemd_words(["/x", text]) + quoting.cron_words([text]) + quoting.shell_words([text])


@given(PRINTABLE, PRINTABLE)
def test_an_expression_of_a_workflow_is_refused(before: str, after: str) -> None:
    with pytest.raises(UsageError, match="expression"):
        quoting.check_workflow("--name", before + "${{" + after)


@given(st.text(st.sampled_from("ab1_-$ /'\n%Aä"), max_size=8))
def test_an_account_is_a_name_that_needs_no_quotes(name: str) -> None:
    try:
        quoting.check_account(name)
    except UsageError:
        return
    assert shlex.split(name) == [name]
    assert name[0] in "ab_"
    assert not set(name) & set(" /%\n'")
