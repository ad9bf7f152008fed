"""The rows of a large fleet: equal ones are one."""

from __future__ import annotations

import csv
import io
import json

import pytest

from fleetsweep.model.report import FleetReport, HostReport
from fleetsweep.report import render
from fleetsweep.report.cells import HOST_COLUMNS
from fleetsweep.report.groups import ROWS_FOLDED_ABOVE
from fleetsweep.report.host_rows import host_rows
from tests.report.build import candidates, lost, report, surveyed


def _fleet(extra: int = 30) -> FleetReport:
    healthy: list[HostReport] = [
        surveyed(f"ci-{number:03}", others=number % 7, skew_s=number / 100, duration_s=number / 10)
        for number in range(1, ROWS_FOLDED_ABOVE)
    ]
    leaking = [surveyed("ci-900", candidates("ws-a", 3)), surveyed("ci-901", candidates("ws-b", 2))]
    return report(*healthy, *leaking, *(lost(f"gone-{number:02}") for number in range(1, extra)))


def cells(made: FleetReport, *, whole: bool = False) -> list[dict[str, str]]:
    names = [column.name for column in HOST_COLUMNS]
    return [dict(zip(names, row.cells, strict=True)) for row in host_rows(made, whole=whole)]


def test_equal_rows_are_folded_and_outliers_stay_whole() -> None:
    healthy, first, second, gone = cells(_fleet())
    assert (healthy["HOST"], healthy["STATUS"], healthy["NOTE"]) == ("ci-[001-049]", "ok", "49 hosts")
    assert (healthy["SKEW"], healthy["TIME"]) == ("0.5s", "4.9s"), "the largest"
    assert (first["HOST"], first["STALE"], second["STALE"]) == ("ci-900", "3", "2")
    assert (gone["HOST"], gone["CONTAINERS"], gone["NOTE"]) == ("gone-[01-29]", "-", "29 hosts, connect: timeout")


@pytest.mark.parametrize("style", ["table", "markdown"])
def test_the_counts_of_folded_rows_still_add_up_to_the_total(style: str) -> None:
    made = _fleet()
    counted = sum(int(row["CONTAINERS"]) for row in cells(made) if row["CONTAINERS"] != "-")
    total = next(line for line in render(made, style).splitlines() if "TOTAL" in line)
    assert str(counted) in total.replace("|", " ").split()


def test_a_small_fleet_and_a_verbose_report_have_a_row_for_each_host() -> None:
    small = report(*(lost(f"gone-{number}") for number in range(ROWS_FOLDED_ABOVE)))
    assert len(cells(small)) == ROWS_FOLDED_ABOVE
    made = _fleet()
    assert len(cells(made, whole=True)) == len(made.hosts)
    assert "gone-07 " in render(made, "table", verbose=True)


def test_a_format_for_programs_folds_nothing() -> None:
    made = _fleet()
    assert len(json.loads(render(made, "json"))["hosts"]) == len(made.hosts)
    assert len(render(made, "jsonl").splitlines()) == len(made.hosts) + 1
    assert len(list(csv.reader(io.StringIO(render(made, "csv"))))) == len(made.hosts) + 1
