"""A CI job's output stays one command of ours a line, whatever text comes from a box."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, given, settings

from fleetsweep.model.outcome import Outcome
from fleetsweep.model.report import FleetReport
from fleetsweep.model.survey import Status
from fleetsweep.notify import ci
from fleetsweep.report import printable
from fleetsweep.report.cells import NAME_LIMIT
from fleetsweep.report.problems import owner, shared_faults
from tests.report.hostile import reports, texts

many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def command(line: str) -> tuple[str, dict[str, str], str] | None:
    """A line as a runner reads it: the command, its properties, its words. None if it is no command."""
    text = line.lstrip()
    found = re.match(r"::([^\s:]*)(?: (.*?))?::(.*)$", text, re.DOTALL)
    if found is None:
        return None
    pairs = (pair.split("=", 1) for pair in (found[2] or "").split(",") if "=" in pair)
    return found[1], {key: _plain(value) for key, value in pairs}, _plain(found[3])


def _plain(text: str) -> str:
    for escaped, plain in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escaped, plain)
    return text


@many
@given(reports, texts)
def test_each_annotation_is_one_error_of_ours_whatever_a_box_said(made: FleetReport, failure: str) -> None:
    lines = ci.errors(made, failure)
    assert len(lines) <= ci.ANNOTATION_LIMIT + 1
    for line in lines:
        # A runner splits at more than line feeds.
        assert line.splitlines() == [line]
        assert line.isprintable()
        read = command(line)
        assert read is not None
        assert read[0] == "error"
        assert read[1].keys() == {"title"}
        assert read[1]["title"].startswith(f"fleetsweep {made.command}")


@many
@given(reports)
def test_every_host_that_is_not_ok_and_every_removal_that_failed_is_annotated(made: FleetReport) -> None:
    lines = ci.errors(made)
    if len(lines) > ci.ANNOTATION_LIMIT:
        return
    read = [command(line) for line in lines]
    titles = [item[1]["title"] for item in read if item]
    shared = shared_faults(made)
    for fault in shared:
        assert f"fleetsweep {made.command}: {owner(fault.hosts, alike=fault.alike)}" in titles
    together = [host.name for fault in shared for host in fault.hosts if len(fault.hosts) > 1]
    for host in made.hosts:
        failed = [item for item in host.removals if item.outcome in {Outcome.FAILED, Outcome.UNKNOWN}]
        wanted = len(failed) + (host.status is not Status.OK or host.guard is not None)
        if host.host.name in together:
            continue
        named = titles.count(f"fleetsweep {made.command}: {printable(host.host.name, NAME_LIMIT)}")
        assert named >= min(wanted, 1)
        same = [other for other in made.hosts if other.host.name == host.host.name]
        if len(same) == 1:
            assert named >= wanted


@many
@given(reports, texts)
def test_no_line_of_a_summary_commands_the_runner(made: FleetReport, failure: str) -> None:
    for text in (ci.summary(made), ci.summary(made, failure)):
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())
        assert text.replace("\n", "").isprintable()
