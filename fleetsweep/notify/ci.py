"""A run as a CI job shows it: annotations, one workflow command a line, and a Markdown summary.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands; Gitea's runner reads the same. What
begins a line with ``::`` commands the runner, so each line here begins with a command of ours, and what came from a box
stands behind it, escaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fleetsweep import exit_codes
from fleetsweep.model.report import FleetReport
from fleetsweep.report import printable, problems, render
from fleetsweep.report.escape import markdown_text

MOST: Final = 50
"""Annotations of one run. GitHub shows ten a step; the summary has the rest."""

SUMMARY_LIMIT: Final = 900_000
"""Bytes. GitHub drops a summary of more than a mebibyte whole."""

LINE_LIMIT: Final = 2_000


def errors(report: FleetReport, failure: str = "") -> list[str]:
    """Return an ``::error`` line for each host that is not ok, each guard and each failed removal."""
    found = list(_found(report, failure))
    lines = [_error(f"fleetsweep {report.command}: {where}", what) for where, what in found[:MOST]]
    if len(found) > MOST:
        lines.append(_error(f"fleetsweep {report.command}", f"and {len(found) - MOST} more"))
    return lines


def _found(report: FleetReport, failure: str) -> Iterator[tuple[str, str]]:
    if failure:
        yield f"exit {report.exit_code}", failure
    yield from problems(report)


def _error(title: str, message: str) -> str:
    return f"::error title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    # There is no line end left to escape after printable; the rule is kept whole all the same.
    return printable(text, LINE_LIMIT).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def summary(report: FleetReport, failure: str = "") -> str:
    """Return the Markdown for the job's page: the report, or what ended a run that has none."""
    if report.hosts:
        text = render(report, "markdown")
    else:
        heading = (
            f"### fleetsweep {report.command}, exit code {report.exit_code}: {exit_codes.meaning(report.exit_code)}"
        )
        text = f"{heading}\n\n- {markdown_text(failure, LINE_LIMIT)}\n"
    whole = text.encode("utf-8")
    if len(whole) > SUMMARY_LIMIT:
        # At a line's end: half a row would take the rest of the page with it.
        text = whole[:SUMMARY_LIMIT].decode("utf-8", "ignore").rpartition("\n")[0] + "\n\n... and more\n"
    return f"{text}\n"
