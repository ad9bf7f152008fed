"""The end of the top-level help text."""

from __future__ import annotations

from fleetsweep.cli.help_text import epilog, exit_code_rows
from fleetsweep.exit_codes import MEANINGS


def test_every_exit_code_has_a_row_with_its_meaning() -> None:
    rows = dict(exit_code_rows())
    assert {code: rows[str(code)] for code in MEANINGS} == dict(MEANINGS)
    assert rows["128+N"].startswith("stopped by signal N")


def test_the_rows_are_aligned_below_the_examples() -> None:
    text = epilog()
    assert text.index("Examples:") < text.index("Exit codes:")
    starts = {
        line.index(meaning) for code, meaning in exit_code_rows() for line in text.splitlines() if meaning in line
    }
    assert len(starts) == 1
