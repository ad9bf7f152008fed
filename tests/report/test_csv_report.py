"""CSV: columns that programs depend on, and cells that no spreadsheet runs."""

from __future__ import annotations

import csv
import io

from fleetsweep.model.decision import Guard, GuardName
from fleetsweep.model.report import FleetReport
from fleetsweep.report import render
from fleetsweep.report.csv_report import COLUMNS
from tests.report.build import DAY_S, fleet, report, surveyed


def rows(made: FleetReport) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render(made, "csv"))))


def test_csv_is_a_header_and_one_row_a_host() -> None:
    made = rows(fleet())
    assert list(made[0]) == list(COLUMNS)
    assert [row["host"] for row in made] == [f"runner-{n}" for n in range(1, 8)]
    first, lost_host, guarded_host = made[0], made[3], made[4]
    assert (first["containers"], first["stale"], first["oldest_s"]) == ("21", "13", str(3 * DAY_S))
    assert (lost_host["error_phase"], lost_host["error_kind"], lost_host["clock_skew_s"]) == (
        *("connect", "timeout", ""),
    )
    assert guarded_host["guard"] == "cap"
    assert [row["unknown_age"] for row in made] == ["0", "0", "1", "0", "0", "0", "0"]


def test_csv_names_the_fleets_guard_where_the_host_has_none() -> None:
    guard = Guard(GuardName.FLEET_CAP, "too many", 10, 15)
    assert rows(report(surveyed("a"), guard=guard))[0]["guard"] == "fleet-cap"


def test_csv_leaves_a_negative_number_a_number() -> None:
    assert rows(report(surveyed("a", skew_s=-1.5)))[0]["clock_skew_s"] == "-1.5"


def test_csv_quotes_every_string_for_a_semicolon_locale() -> None:
    text = render(report(surveyed("a;=1")), "csv")
    assert text.splitlines()[1].startswith('"a;=1","ok",0,')
