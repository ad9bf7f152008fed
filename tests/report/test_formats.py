"""The formats of a report, by their names on the command line."""

from __future__ import annotations

import pytest

from fleetsweep.report import FORMATS, render
from tests.report.build import fleet


def test_the_formats_are_those_of_the_command_line() -> None:
    assert list(FORMATS) == ["table", "json", "jsonl", "csv", "markdown"]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("verbose", [False, True])
def test_every_format_ends_with_one_line_end(name: str, verbose: bool) -> None:
    text = render(fleet(), name, verbose=verbose)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_an_unknown_format_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        render(fleet(), "xml")
