"""The lines below the table: what an operator must act on."""

from __future__ import annotations

import re
from dataclasses import replace

from fleetsweep.model.decision import Reason
from fleetsweep.model.outcome import Outcome
from fleetsweep.model.report import FleetReport, FleetWarning, WarningKind
from fleetsweep.model.survey import Status
from fleetsweep.report import render
from fleetsweep.report.problems import LINES_A_HOST
from tests.report.build import (
    candidates,
    container,
    container_id,
    decision,
    lost,
    report,
    surveyed,
)


def cells(made: FleetReport, name: str) -> list[str]:
    """One row's cells, split where the table leaves a gap of two."""
    row = next(line for line in render(made, "table").splitlines() if line.startswith(name))
    return re.split(r"  +", row)


def below(made: FleetReport, *, verbose: bool = False) -> list[str]:
    """The lines under the totals."""
    text = render(made, "table", verbose=verbose)
    lines = text.splitlines()
    return lines[next(i for i, line in enumerate(lines) if line.startswith("TOTAL")) + 2 :]


def test_a_clean_fleet_has_nothing_below_the_totals() -> None:
    assert below(report(surveyed("a", candidates("ws", 2), outcome=Outcome.REMOVED))) == []


def test_a_removal_of_unknown_outcome_names_the_container_and_the_next_step() -> None:
    made = report(surveyed("box", candidates("ws", 1), outcome=Outcome.UNKNOWN, error="connection lost"))
    assert below(made) == [
        f"box: ws-0 ({container_id('ws-0')[:12]}) may or may not have been removed: connection lost"
        " -> the next run finds out"
    ]


def test_gone_and_changed_are_noted_but_are_no_problem() -> None:
    made = report(surveyed("box", candidates("ws", 2), outcome=Outcome.CHANGED))
    assert cells(made, "box")[-1] == "2 changed"
    assert below(made) == []


def test_a_host_that_was_interrupted_without_a_fault_is_named() -> None:
    made = report(replace(surveyed("box"), status=Status.INTERRUPTED))
    assert below(made) == ["box: interrupted"]


def test_ten_thousand_of_a_kind_are_cut_short_unless_verbose() -> None:
    odd = tuple(decision(container(f"ws-{n}"), Reason.UNKNOWN_AGE, age_s=None) for n in range(1000))
    made = report(surveyed("box", odd), surveyed("next"))
    lines = below(made)
    assert len(lines) == LINES_A_HOST + 1
    assert lines[-1] == f"box: ... and {1000 - LINES_A_HOST} more like the last one (-v shows them)"
    assert len(below(made, verbose=True)) == 1000


def test_an_unreadable_timestamp_is_named_as_such() -> None:
    odd = replace(container("ws-odd"), created_ns=0, started_ns=10**30)
    made = report(surveyed("box", (decision(odd, Reason.UNKNOWN_AGE, age_s=None),)))
    assert "(created unreadable, started beyond the calendar)" in render(made, "table")


def test_an_unreadable_container_and_one_in_use_have_the_reason_they_were_kept() -> None:
    kept = (
        replace(
            decision(container("ws-wedged"), Reason.UNREADABLE), detail="an inspect response did not arrive within 5 s"
        ),
        replace(decision(container("ws-owner"), Reason.IN_USE), detail="ws-young lives in its network"),
    )
    text = render(report(surveyed("a", kept)), "table")
    assert "1 unreadable, 1 in use" in text
    assert "was kept: it could not be read: an inspect response did not arrive within 5 s" in text
    assert "was kept: it is in use: ws-young lives in its network" in text


def test_hosts_whose_faults_differ_in_the_port_share_a_line_unless_verbose() -> None:
    hosts = [lost(f"r-{port}", message=f"no TCP connection to box port {port}") for port in range(2201, 2241)]
    made = report(*(replace(each, host=replace(each.host, port=2201 + at)) for at, each in enumerate(hosts)))
    (line,) = below(made)
    assert line.startswith("r-[2201-2240] (shown: r-2201): unreachable (connect): no TCP connection to box port 2201")
    assert len(below(made, verbose=True)) == 40


def test_warnings_come_last_and_those_of_hosts_that_the_fleet_has_too_are_left_out() -> None:
    def warning(kind: WarningKind, host: str | None) -> FleetWarning:
        return FleetWarning(kind, host, "m", 3, "r")

    warnings = (warning(WarningKind.MATCHES_NOTHING, None), warning(WarningKind.MATCHES_NOTHING, "a"))
    made = replace(report(surveyed("a")), warnings=(*warnings, warning(WarningKind.NOT_REMOVED, "a\x1b[2J")))
    assert below(made) == ["fleet: warning: m -> r", "a\\x1b[2J: warning: m -> r"]
    alike = replace(made, warnings=tuple(warning(WarningKind.NOT_REMOVED, f"r-{at:02}") for at in range(30)))
    assert below(alike) == ["r-[00-29]: warning: m -> r"]
    many = replace(made, warnings=tuple(replace(warnings[0], message=f"m{at}", host="a") for at in range(30)))
    assert below(many)[-1] == f"fleet: warning: ... and {30 - LINES_A_HOST} more (--format json has all)"
    assert len(below(many, verbose=True)) == 30
