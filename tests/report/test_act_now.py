"""What must be acted on now."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace

import pytest

from fleetsweep.model.overview import LastRun, Overview, UnendedRun
from fleetsweep.model.report import FleetReport, FleetWarning, WarningKind
from fleetsweep.report.archive import compress
from fleetsweep.report.html.act_now import Item, items, not_seen
from fleetsweep.report.html.cells import MOST_ROWS
from tests.report.build import NOW_NS
from tests.report.overviews import HOUR_NS, fleet, host_now, leaks_now, removal

DAY_NS = 24 * HOUR_NS


def names(of: Overview) -> list[str]:
    return [item.name for item in items(of)]


def only(of: Overview) -> Item:
    (item,) = items(of)
    return item


def last(**changes: object) -> LastRun:
    found = fleet().last_run
    assert found is not None
    return replace(found, **changes)  # type: ignore[arg-type]


def test_a_fleet_in_which_all_is_well_has_nothing_to_act_on() -> None:
    assert items(fleet()) == ()


@pytest.mark.parametrize("status", ["unreachable", "failed", "interrupted"])
def test_a_host_that_was_not_surveyed_is_listed_with_its_error_and_its_last_survey(status: str) -> None:
    lost = host_now("lost", status=status, error="no route", surveyed_ns=None)
    item = only(fleet(hosts=(host_now(), lost)))
    assert (item.name, item.title) == ("unreached", "1 host could not be surveyed")
    assert item.table is not None
    assert [str(cell) for cell in item.table.rows[0]][1:4] == [status, '<bdi class="message">no route</bdi>', "never"]


def test_a_guard_that_stands_is_listed() -> None:
    item = only(fleet(hosts=(host_now(status="guarded", guard="cap", error="101 candidates"),)))
    assert item.title == "A guard stops 1 host"


def test_stale_containers_that_are_left_are_listed_the_oldest_first() -> None:
    older = leaks_now("b", stale_since_ns=NOW_NS - 3 * DAY_NS, count=4)
    item = only(fleet(leaks=(leaks_now("a"), older)))
    assert item.title == "5 stale containers not removed"
    assert item.table is not None
    assert [row[2] for row in item.table.rows] == ["3d", "1d"]


def test_a_host_that_no_run_selects_any_more_is_listed_and_one_that_was_just_asked_is_not() -> None:
    ago = NOW_NS - 3 * DAY_NS
    dropped = host_now("dropped", asked_ns=ago, surveyed_ns=ago)
    lost = host_now("lost", status="unreachable", surveyed_ns=None)
    made = fleet(hosts=(host_now(), dropped, lost))
    assert names(made) == ["unreached", "silent"]
    assert [host.name for host in not_seen(made)] == ["lost", "dropped"]


def test_a_schedule_that_vanished_is_the_first_item_and_its_hosts_are_not_called_deselected() -> None:
    then = NOW_NS - 8 * DAY_NS
    hosts = (host_now("a", asked_ns=then, surveyed_ns=then),)
    made = fleet("a", hosts=hosts, last_run=last(started_ns=then, finished_ns=then))
    assert only(made).title == "The last run ended 8d ago, and they usually start every 1h"


def test_without_a_run_that_ended_nothing_is_known() -> None:
    assert names(fleet(hosts=(), last_run=None)) == ["no-run"]
    assert names(fleet(hosts=())) == ["no-run"]


def test_a_run_that_began_long_ago_and_did_not_end_is_listed() -> None:
    assert names(fleet(unended=UnendedRun("run-2", NOW_NS - HOUR_NS))) == []
    assert names(fleet(unended=UnendedRun("run-2", NOW_NS - DAY_NS))) == ["unended"]


def test_open_intents_are_listed() -> None:
    assert only(fleet(open_intents=(removal(outcome="open"),))).title == "1 removal without a known outcome"


def test_warnings_of_the_last_run_come_from_its_stored_report() -> None:
    warning = FleetWarning(WarningKind.MATCHES_NOTHING, "runner-1", "nothing matches", 3, "give --name")
    report = FleetReport("run-1", "sweep", False, NOW_NS, NOW_NS, 0, (), warnings=(warning,))
    item = only(fleet(last_run=last(head=next(compress(report)))))
    assert item.table is not None
    assert [re.sub("<.*?>", "", cell) for cell in item.table.rows[0]] == ["runner-1", "nothing matches", "give --name"]


@pytest.mark.parametrize(
    "head", [b"junk", zlib.compress(b"{"), zlib.compress(b"[1]"), zlib.compress(b'{"warnings": [1]}')]
)
def test_a_stored_report_that_cant_be_read_costs_its_warnings(head: bytes) -> None:
    assert items(fleet(last_run=last(head=head))) == ()


def test_an_exit_code_that_nothing_else_explains_is_an_item() -> None:
    assert names(fleet(last_run=last(exit_code=3))) == ["exit-code"]
    assert names(fleet(last_run=last(exit_code=5), leaks=(leaks_now(),))) == ["stale"]


def test_a_long_list_is_cut_and_the_rest_is_counted() -> None:
    lost = tuple(host_now(f"h-{number:03}", status="unreachable", error=f"{number}") for number in range(MOST_ROWS + 3))
    item = only(fleet(hosts=lost))
    assert item.table is not None
    assert len(item.table.rows) == MOST_ROWS
    assert item.table.more == "… and 3 more hosts"


def test_in_a_large_fleet_hosts_with_the_same_fault_share_a_row() -> None:
    lost = [
        host_now(
            f"lost-{number:03}",
            status="unreachable",
            error=f"192.0.2.{number} port 22: refused",
            endpoint=f"ssh 192.0.2.{number}:22 unix:///run/docker.sock",
        )
        for number in range(60)
    ]
    guarded = [host_now(f"odd-{number:03}", status="guarded", guard="cap", error=f"{number}") for number in range(60)]
    unreached, guards = items(fleet(hosts=(*lost, *guarded, host_now("other", status="failed", error="no space"))))
    assert unreached.table is not None
    assert guards.table is not None
    first, second = unreached.table.rows
    assert first[0] == "<bdi>lost-[000-059] (shown: lost-000)</bdi>"
    assert "192.0.2.0 port 22: refused" in first[2]
    assert (second[0], unreached.table.more) == ("<bdi>other</bdi>", "")
    assert (len(guards.table.rows), guards.table.more) == (MOST_ROWS, "… and 10 more hosts")
