"""Markdown: the table for a CI job's summary."""

from __future__ import annotations

import re

from fleetsweep.report import render
from tests.report.build import fleet, report


def test_markdown_is_a_heading_a_table_and_a_list() -> None:
    heading, table, actions = render(fleet(), "markdown").rstrip("\n").split("\n\n")
    assert heading == "### fleetsweep sweep, 2026-06-15T07:00:00Z, exit code 4"
    header, rule, *body = table.splitlines()
    assert header.split("|")[1].strip() == "HOST"
    assert re.fullmatch(r"\|(:-+\|){2}(-+:\|){7}:-+\|", rule)
    assert [row.split("|")[1].strip() for row in body] == [*(f"runner-{n}" for n in range(1, 8)), "TOTAL"]
    assert all(line.startswith("- runner-") for line in actions.splitlines())
    assert len(actions.splitlines()) == 6


def test_markdown_names_a_dry_run_and_lists_containers_when_verbose() -> None:
    text = render(report(*fleet().hosts, dry_run=True), "markdown", verbose=True)
    assert text.startswith("### fleetsweep sweep (dry run), ")
    assert "\n#### runner-1\n\n| ID " in text
    assert "| ws-oldest " in text
