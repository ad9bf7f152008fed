"""The queries of the page: what is not known is None, and each number is the journal's."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.model.container import SECOND
from fleetsweep.model.decision import Guard, GuardName
from fleetsweep.model.host import Host
from fleetsweep.model.overview import DAY_NS, Overview
from fleetsweep.model.report import HostReport
from fleetsweep.model.survey import Status
from fleetsweep.policy.leak_stats import By, Grouping, sum_leaks
from fleetsweep.store.journal import Journal, leak_history, overview
from fleetsweep.store.journal.database import journal_file
from fleetsweep.store.journal.migrations import MIGRATIONS, statements
from fleetsweep.store.journal.report_queries import MOST_DAYS
from tests.generators.journal import END_NS, Shape, Stories, Written, write_journal
from tests.report.build import NOW_NS, candidates, lost, plan, surveyed
from tests.store.test_queries import aged, ended, killed

HOUR_NS = 3_600 * SECOND
NOW = END_NS + HOUR_NS
SHAPE = Shape(hosts=8, days=6, runs_a_day=4)
STORIES = Stories(
    down=3, down_days=range(2, 3), capped=5, capped_days=range(3, 5), stuck=6, stuck_from=1, without_runs=range(1, 2)
)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Written]:
    state = tmp_path_factory.mktemp("journal") / "state"
    return state, write_journal(state, SHAPE, STORIES)


def of(state: Path, now_ns: int = NOW) -> Overview:
    return overview(state, now_ns - 30 * DAY_NS, now_ns)


def recent(state: Path) -> Overview:
    """What the runs of these tests show: they start now."""
    with closing(sqlite3.connect(journal_file(state))) as database:
        (newest_ns,) = database.execute("SELECT max(started_ns) FROM run").fetchone()
    return of(state, newest_ns + HOUR_NS)


def test_a_day_without_runs_and_a_host_never_surveyed_have_no_number(journal: tuple[Path, Written]) -> None:
    found = of(journal[0])
    first = found.period.first_day
    # The first of the days that the runs count is cut by midnight.
    assert {day.day for day in found.days if day.stale is None} <= {first + 1, first + 2}
    silent = found.cells["runner-07"]
    assert {cell.status for cell in silent.values()} == {"unreachable"}
    assert {cell.stale for cell in silent.values()} == {None}
    (now,) = (host for host in found.hosts if host.name == "runner-07")
    assert (now.status, now.surveyed_ns) == ("unreachable", None)


def test_the_worst_status_of_a_day_counts_and_guards_are_counted(journal: tuple[Path, Written]) -> None:
    found = of(journal[0])
    guarded = [cell for cell in found.cells["runner-05"].values() if cell.status == "guarded"]
    assert guarded
    assert sum(cell.guards for cell in guarded) == sum(guard.rows for guard in found.guards)
    assert {guard.name for guard in found.guards} == {"cap"}
    assert any(cell.status == "unreachable" and cell.stale is not None for cell in found.cells["runner-03"].values())


def test_leaks_and_removals_are_those_that_were_written(journal: tuple[Path, Written]) -> None:
    state, written = journal
    found = of(state)
    assert sum(day.leaks for day in found.days) == sum(written.leaks.values())
    assert found.outcomes["removed"] == sum(written.removed.values())
    assert sum(day.outcomes.get("removed", 0) for day in found.days) == found.outcomes["removed"]
    by_image = {leaker.what: leaker.leaks for leaker in found.by_image.top}
    assert by_image == {image: sum(n for (_, each), n in written.leaks.items() if each == image) for image in by_image}
    assert found.by_image.total == len({image for _, image in written.leaks})
    assert (found.period.runs, found.period.unended) == (written.runs, written.killed)
    (stuck,) = found.leaks
    assert (stuck.host, stuck.name, stuck.count) == ("runner-06", "ws-stuck", 1)
    assert stuck.sweeps > 3


@pytest.mark.parametrize("days", [1, 30])
def test_the_leakers_are_those_of_the_history_of_the_same_days(journal: tuple[Path, Written], days: int) -> None:
    found = overview(journal[0], NOW - days * DAY_NS, NOW)
    history = leak_history(journal[0], found.period.first_day * DAY_NS, NOW)
    for by, leakers in ((By.IMAGE, found.by_image), (By.HOST, found.by_host)):
        groups = {group.key: group for group in sum_leaks(history, Grouping(by), None, NOW)}
        assert leakers.top
        for each in leakers.top:
            group = groups[each.what]
            assert (each.leaks, each.left) == (group.total.leaks, group.total.still_there)
            assert each.orphan_s == pytest.approx(group.total.orphan_s, abs=1)
            assert each.new == bool(group.new)


def test_a_leaker_is_new_only_if_the_journal_shows_that_nothing_of_it_leaked_before(
    journal: tuple[Path, Written],
) -> None:
    whole, part = of(journal[0]), overview(journal[0], NOW - DAY_NS, NOW)
    assert not any(leaker.new for leaker in (*whole.by_host.top, *whole.by_image.top))
    assert {leaker.new for leaker in part.by_image.top} == {False}
    (stuck,) = (leaker for leaker in part.by_host.top if leaker.what == "runner-06")
    span_s = (NOW - part.period.first_day * DAY_NS) // SECOND
    assert span_s <= stuck.orphan_s < 2 * span_s


def test_the_last_run_is_whole(journal: tuple[Path, Written]) -> None:
    found = of(journal[0]).last_run
    assert found is not None
    assert found.started_ns == END_NS
    assert [row.name for row in found.rows] == [f"runner-{number:02}" for number in range(1, SHAPE.hosts + 1)]
    assert (found.rows[6].status, found.rows[6].stale) == ("unreachable", None)
    assert any(removal.name == "ws-stuck" and removal.outcome == "failed" for removal in found.removals)
    assert found.head is not None


def test_an_audit_removed_nothing_that_could_be_counted(tmp_path: Path) -> None:
    ended(tmp_path, "a", surveyed("a", candidates("ws", 2)), command="audit")
    found = recent(tmp_path).last_run
    assert found is not None
    assert [(row.stale, row.removed) for row in found.rows] == [(2, None)]


def test_containers_under_the_identity_guard_are_another_hosts(tmp_path: Path) -> None:
    guard = Guard(GuardName.IDENTITY, "the same engine as a")
    guarded = plan("b", candidates("ws", 5), guard=guard)
    ended(tmp_path, "a", surveyed("a"), HostReport(guarded.host, Status.GUARDED, guarded), code=4)
    found = recent(tmp_path)
    assert [(cell.status, cell.stale) for cells in found.cells.values() for cell in cells.values()] == [
        ("ok", 0),
        ("guarded", None),
    ]
    assert found.last_run is not None
    assert [row.stale for row in found.last_run.rows] == [0, None]


def test_a_host_that_left_the_inventory_keeps_the_time_of_its_last_survey(tmp_path: Path) -> None:
    ended(tmp_path, "old", surveyed("gone"), lost("never"))
    aged(tmp_path, "old", 72)
    ended(tmp_path, "new", surveyed("a"))
    found = {host.name: host for host in recent(tmp_path).hosts}
    assert found["gone"].surveyed_ns == found["gone"].asked_ns
    assert found["gone"].asked_ns < found["a"].asked_ns - 71 * HOUR_NS
    assert found["never"].surveyed_ns is None


def test_a_teardown_is_the_last_run_only_where_there_is_no_other(tmp_path: Path) -> None:
    ended(tmp_path, "t", surveyed("a"), command="teardown")
    last = recent(tmp_path).last_run
    assert last is not None
    assert last.id == "t"
    ended(tmp_path, "b", surveyed("a"), command="audit")
    ended(tmp_path, "u", surveyed("a"), command="teardown")
    last = recent(tmp_path).last_run
    assert last is not None
    assert last.id == "b"


def test_a_killed_run_is_unended_and_its_intents_are_open(tmp_path: Path) -> None:
    ended(tmp_path, "a", surveyed("runner-1"))
    killed(tmp_path, "k", None)
    found = recent(tmp_path)
    assert found.unended is not None
    assert found.unended.id == "k"
    assert [each.outcome for each in found.open_intents] == ["open"]
    assert found.last_run is not None
    assert found.last_run.id == "a"


def test_runs_of_a_clock_that_was_wrong_show_neither_thousands_of_days_nor_the_future(tmp_path: Path) -> None:
    for run_id in ("past", "now", "future"):
        ended(tmp_path, run_id, surveyed("a"))
    aged(tmp_path, "past", 20 * 366 * 24)
    with closing(sqlite3.connect(journal_file(tmp_path))) as database:
        (now_ns,) = database.execute("SELECT started_ns FROM run WHERE id = 'now'").fetchone()
    aged(tmp_path, "future", -20 * 366 * 24)
    found = overview(tmp_path, 0, now_ns + HOUR_NS)
    assert len(found.days) == MOST_DAYS
    assert found.period.runs == 1
    assert found.last_run is not None
    assert found.last_run.id == "now"


def test_a_journal_without_a_run_that_has_ended_is_no_clean_fleet(tmp_path: Path) -> None:
    with Journal(tmp_path, "begun", "sweep"):
        pass
    found = recent(tmp_path)
    assert (found.hosts, found.last_run, found.cells) == ((), None, {})
    assert found.days[-1].stale is None


def test_a_journal_of_an_older_schema_is_read_and_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    path = journal_file(tmp_path)
    with closing(sqlite3.connect(path)) as old, old:
        for script in MIGRATIONS[:2]:
            for statement in statements(script):
                old.execute(statement)
        old.execute("PRAGMA user_version = 2")
        old.execute("INSERT INTO run VALUES ('a', 'sweep', 0, ?, ?, 0, NULL)", (NOW_NS, NOW_NS + SECOND))
        old.execute("INSERT INTO host VALUES ('a', 'runner-1', 'local', 'ok', 1, NULL, 4, 2, 1, 1, 0.1, 0.4)")
    before = path.read_bytes()
    found = of(tmp_path, NOW_NS + HOUR_NS)
    assert path.read_bytes() == before
    assert [(cell.stale, cell.oldest_s) for cell in found.cells["runner-1"].values()] == [(1, None)]


def test_without_a_journal_the_error_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--state-dir"):
        of(tmp_path)


def test_a_status_of_a_newer_version_counts_as_the_worst(tmp_path: Path) -> None:
    ended(tmp_path, "a", replace(surveyed("a"), host=Host("a", "a")))
    with closing(sqlite3.connect(journal_file(tmp_path))) as database, database:
        database.execute("UPDATE host SET status = 'melted'")
    assert [cell.status for cell in recent(tmp_path).cells["a"].values()] == ["failed"]
