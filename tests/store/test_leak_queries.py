"""Leaks of a span of time, and one container's past, read from the journal."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fleetsweep.model.report import FleetReport
from fleetsweep.store.journal import Journal, leak_history, past_containers
from tests.generators.journal import Shape, Written, write_journal
from tests.report.build import duplicate, guarded, surveyed
from tests.store.test_migrations import write

HOUR_NS = 3600 * 10**9
SHAPE = Shape(hosts=12, days=3, runs_a_day=8)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Written]:
    state = tmp_path_factory.mktemp("journal")
    return state, write_journal(state, SHAPE)


def test_a_span_has_the_leaks_removals_and_surveys_of_its_time(made: tuple[Path, Written]) -> None:
    state, written = made
    whole = leak_history(state, 0, SHAPE.end_ns + HOUR_NS)
    assert len(whole.leaks) == written.leaks.total()
    assert len({look.run for look in whole.looks}) == written.runs - written.killed
    assert "runner-07" in whole.hosts
    assert "runner-07" not in {look.host for look in whole.looks} | set(whole.last_looks)
    assert whole.groups["runner-05"] == ("runners", "large", "south")
    assert whole.first_run_ns == written.first_ns
    half_ns = SHAPE.end_ns - 36 * HOUR_NS
    first, second = leak_history(state, 0, half_ns), leak_history(state, half_ns, SHAPE.end_ns + HOUR_NS)
    assert len(first.removals) + len(second.removals) == len(whole.removals) == written.removed.total()
    assert len(first.looks) + len(second.looks) == len(whole.looks)
    assert {leak.container_id for leak in first.leaks} < {leak.container_id for leak in second.leaks}


def test_one_host_has_only_its_own_facts(made: tuple[Path, Written]) -> None:
    one = leak_history(made[0], 0, SHAPE.end_ns + HOUR_NS, ["runner-03"])
    named = {each.host for each in one.leaks} | {each.host for each in one.removals}
    assert {*named, *(each.host for each in one.looks), *one.hosts, *one.last_looks} == {"runner-03"}
    assert len(one.removals) == made[1].removed["runner-03"]


def test_a_container_is_found_by_name_or_id_or_their_beginnings(made: tuple[Path, Written]) -> None:
    state = made[0]
    leak = next(each for each in leak_history(state, 0, SHAPE.end_ns).leaks if each.ended_as == "removed")
    for text in (leak.name, leak.container_id, leak.container_id[:20]):
        (found,) = past_containers(state, text)
        assert (found.id, found.name, found.hosts) == (leak.container_id, leak.name, (leak.host,))
        assert None not in (found.leaks[0].first_run, found.leaks[0].last_run)
        assert found.removals[-1].outcome == "removed"
    assert len(past_containers(state, "ws-")) > 20
    assert past_containers(state, leak.name, ["elsewhere"]) == ()
    for text in ("", "WS-", "%", "_s-", "\udcff", "' OR 1=1 --"):
        assert past_containers(state, text) == ()


def test_the_newest_of_several_containers_comes_first(made: tuple[Path, Written]) -> None:
    times = [each.last_ns for each in past_containers(made[0], "ws-3-")]
    assert len(times) > 1
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("version", [1, 2])
def test_a_journal_of_an_earlier_schema_has_no_leaks_and_reports_that(tmp_path: Path, version: int) -> None:
    path = write(tmp_path, version)
    with closing(sqlite3.connect(path)) as journal, journal:
        journal.execute("UPDATE intent SET outcome = 'removed', concluded_ns = 5")
    found = leak_history(tmp_path, 0, 10)
    assert (found.recorded, found.leaks, len(found.removals)) == (False, (), 1)
    (container,) = past_containers(tmp_path, "ws")
    assert (container.id, container.leaks, container.removals[0].image) == ("c", (), None)


def test_runs_from_before_leaks_were_recorded_and_rows_of_another_engine_are_no_surveys(tmp_path: Path) -> None:
    path = write(tmp_path, 2)
    with closing(sqlite3.connect(path)) as journal, journal:
        journal.execute("UPDATE run SET started_ns = 100")
        journal.execute("INSERT INTO host VALUES ('old', 'a', 'e', 'ok', 1, NULL, 1, 1, 1, 0, 0.0, 1.0)")
    rows = (surveyed("a"), duplicate("b", surveyed("a")), guarded("c"))
    with Journal(tmp_path, "new", "audit", clock=lambda: 200) as made:
        made.finish(FleetReport("new", "audit", False, 200, 201, 0, rows), looked=True)
    found = leak_history(tmp_path, 0, 300)
    assert [(look.at_ns, look.host) for look in found.looks] == [(200, "a"), (200, "c")]
    assert found.hosts == ("a", "b", "c")
