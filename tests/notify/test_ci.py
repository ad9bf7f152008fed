"""Annotations and the summary of a CI job."""

from __future__ import annotations

from dataclasses import replace

from fleetsweep.model.decision import Guard, GuardName
from fleetsweep.model.report import FleetWarning, WarningKind
from fleetsweep.notify import ci
from tests.report.build import fleet, lost, report, surveyed


def test_each_problem_is_an_error_with_its_host_in_the_title() -> None:
    lines = ci.errors(fleet())
    assert [line.partition("::error title=fleetsweep sweep%3A ")[2].partition("::")[0] for line in lines] == [
        f"runner-{number}" for number in (2, 3, 4, 5, 6, 7)
    ]
    assert lines[3] == (
        "::error title=fleetsweep sweep%3A runner-5::guarded (cap): 3 candidates are more than the cap of 2"
    )


def test_a_fleet_guard_is_an_error_of_the_fleet() -> None:
    guard = Guard(GuardName.FLEET_CAP, "50% is too much", 1, 2)
    assert ci.errors(report(surveyed("a"), guard=guard)) == [
        "::error title=fleetsweep sweep%3A fleet::guarded (fleet-cap): 50%25 is too much"
    ]


def test_a_warning_is_an_annotation_of_its_own_level() -> None:
    warning = FleetWarning(WarningKind.NOT_REMOVED, "a", "3 are left", 3, "look")
    assert ci.errors(replace(report(surveyed("a")), warnings=(warning,))) == [
        "::warning title=fleetsweep sweep%3A a::3 are left -> look"
    ]


def test_a_run_without_problems_has_no_annotation() -> None:
    assert ci.errors(report(surveyed("a"))) == []


def test_a_failure_before_the_first_host_is_an_error_with_the_exit_code() -> None:
    assert ci.errors(report(exit_code=2), "no such inventory") == [
        "::error title=fleetsweep sweep%3A exit 2::no such inventory"
    ]


def test_more_problems_than_the_limit_are_counted() -> None:
    lines = ci.errors(
        report(*(lost(f"h{number}", message=f"error {number} of many") for number in range(ci.ANNOTATION_LIMIT + 7)))
    )
    assert len(lines) == ci.ANNOTATION_LIMIT + 1
    assert lines[-1] == "::error title=fleetsweep sweep::and 7 more"


def test_a_summary_is_the_markdown_report_or_the_failure() -> None:
    assert ci.summary(fleet()).startswith("### fleetsweep sweep, 2026-06-15T07:00:00Z, exit code 4\n\n| HOST ")
    text = ci.summary(report(exit_code=2), "*no* inventory")
    assert text.startswith("### fleetsweep sweep, exit code 2: usage")
    assert "\n- \\*no\\* inventory\n" in text


def test_a_summary_that_is_too_large_is_cut_at_the_end_of_a_line() -> None:
    host = lost("h", message="é" * 300)
    hosts = (
        replace(
            host,
            host=replace(host.host, name=f"h{number}"),
            fault=host.fault and replace(host.fault, message=f"{number}-{host.fault.message}"),
        )
        for number in range(3_000)
    )
    whole = ci.summary(report(*hosts))
    assert whole.endswith("\n\n... and more\n\n")
    assert len(whole.encode()) < ci.SUMMARY_LIMIT + 100
    row = whole.removesuffix("\n\n... and more\n\n").rpartition("\n")[2]
    assert row.endswith("check that the box is up")
