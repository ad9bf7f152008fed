"""A run's result for a CI job: annotations, one workflow command a line, and a Markdown summary.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands; Gitea's runner supports the same. A
line that begins with ``::`` is a command to the runner. So each line begins with a command of ours, and text from a box
comes after it, escaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fleetsweep import exit_codes
from fleetsweep.model.report import FleetReport
from fleetsweep.report import printable, render
from fleetsweep.report.escape import markdown_text
from fleetsweep.report.problems import problems, warning_lines

ANNOTATION_LIMIT: Final = 50
"""Annotations of one run. GitHub shows ten a step; the summary has the others."""

SUMMARY_LIMIT: Final = 900_000
"""Bytes. GitHub rejects a summary of more than a mebibyte."""

LINE_LIMIT: Final = 2_000
"""Characters of one annotation's message."""


def errors(report: FleetReport, failure: str = "") -> list[str]:
    """Return an ``::error`` line for each host that is not ok, each guard and each failed removal.

    A ``::warning`` line for each of the report's warnings follows.
    """
    found = list(_titled_errors(report, failure))
    lines = [_error(f"fleetsweep {report.command}: {where}", what) for where, what in found[:ANNOTATION_LIMIT]]
    if len(found) > ANNOTATION_LIMIT:
        lines.append(_error(f"fleetsweep {report.command}", f"and {len(found) - ANNOTATION_LIMIT} more"))
    lines += [_line("warning", f"fleetsweep {report.command}: {who}", text) for who, text in warning_lines(report)]
    return lines


def _titled_errors(report: FleetReport, failure: str) -> Iterator[tuple[str, str]]:
    if failure:
        yield f"exit {report.exit_code}", failure
    yield from problems(report)


def _error(title: str, message: str) -> str:
    return _line("error", title, message)


def _line(level: str, title: str, message: str) -> str:
    return f"::{level} title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    # printable leaves no line ends; they are escaped all the same, as the format's rules ask.
    return printable(text, LINE_LIMIT).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def summary(report: FleetReport, failure: str = "") -> str:
    """Return the Markdown for the job's page: the report, or ``failure`` for a run that ended without one."""
    if report.hosts:
        text = render(report, "markdown")
    else:
        heading = (
            f"### fleetsweep {report.command}, exit code {report.exit_code}: {exit_codes.meaning(report.exit_code)}"
        )
        text = f"{heading}\n\n- {markdown_text(failure, LINE_LIMIT)}\n"
    whole = text.encode("utf-8")
    if len(whole) > SUMMARY_LIMIT:
        # Cut at a line end: half a table row would garble the rest of the page.
        text = whole[:SUMMARY_LIMIT].decode("utf-8", "ignore").rpartition("\n")[0] + "\n\n... and more\n"
    return f"{text}\n"
