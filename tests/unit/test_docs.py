"""What the help says and what the documents say hold together."""

from __future__ import annotations

import re
from pathlib import Path

import click

from fleetsweep.cli import cli

ROOT = Path(__file__).parents[2]


def test_every_command_is_in_the_readme_and_the_readme_names_no_other() -> None:
    named = set(re.findall(r"fleetsweep (audit|sweep|hosts|[a-z]+) ", (ROOT / "README.md").read_text()))
    assert set(cli.commands) <= named


def test_every_option_of_the_readme_exists() -> None:
    known = {text for command in cli.commands.values() for param in command.params for text in param.opts}
    shown = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", (ROOT / "README.md").read_text()))
    assert shown - {"--help"} <= known


def test_every_option_says_what_it_does() -> None:
    for command in cli.commands.values():
        for option in command.params:
            if isinstance(option, click.Argument):
                assert option.make_metavar(click.Context(command)) in (command.help or "")
                continue
            assert isinstance(option, click.Option)
            assert option.help, f"{command.name} {option.opts}"
