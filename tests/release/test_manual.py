"""The manual pages say what the help says."""

from __future__ import annotations

import re

import click
import pytest

from fleetsweep.cli import SUMMARIES, cli
from fleetsweep.exit_codes import MEANINGS
from release.manual import pages

PAGES = pages()


def plain(page: str) -> str:
    """Return a page's text as it is printed."""
    text = re.sub(r"\\f[A-Z]|\\&", "", page)
    for code, letter in {r"\-": "-", r"\(aq": "'", r"\(dq": '"', r"\(ha": "^", r"\(ti": "~", r"\(ga": "`"}.items():
        text = text.replace(code, letter)
    return text.replace(r"\e", "\\")


def test_each_command_has_a_page_and_the_first_page_names_them_all() -> None:
    assert set(PAGES) == {"fleetsweep.1", *(f"fleetsweep-{name}.1" for name in SUMMARIES)}
    first = plain(PAGES["fleetsweep.1"])
    assert [name for name in SUMMARIES if f"fleetsweep-{name}(1)" not in first] == []
    assert [text for text in (*SUMMARIES.values(), *MEANINGS.values()) if text not in first] == []


@pytest.mark.parametrize("name", SUMMARIES)
def test_a_commands_page_has_its_options_and_examples_as_typed(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    text = plain(PAGES[f"fleetsweep-{name}.1"])
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.opts[-1] in text
            assert (option.help or "") in text
    examples = (command.epilog or "").removeprefix("\b\nExamples:\n").rstrip("\n").split("\n")
    assert [line for line in examples if line.removeprefix("  ") not in text] == []


def test_the_environment_lists_each_variable() -> None:
    text = plain(PAGES["fleetsweep.1"])
    wanted = {
        "FLEETSWEEP_INVENTORY",
        "FLEETSWEEP_MAX_AGE",
        "FLEETSWEEP_NOTIFY",
        "WS_MAX_AGE_HOURS",
        "SAFETY_CAP",
        "DRY_RUN",
    }
    assert {name for name in wanted if f"\n{name}\n" not in text} == set()


def test_no_line_is_taken_for_a_request_by_accident() -> None:
    requests = {".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".nh", ".ad", ".nf", ".fi"}
    for page in PAGES.values():
        lines = [line for line in page.split("\n") if line[:1] in {".", "'"}]
        assert {line.split(" ")[0] for line in lines} <= requests
