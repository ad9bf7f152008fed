"""What the journal has of hosts from before a run, recorded by runs as they end."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from fleetsweep.model.past_hosts import LastMatch, OpenLeak, PastOfHosts
from fleetsweep.model.report import HostReport
from fleetsweep.policy.leaks import leaks_of
from fleetsweep.policy.rules import Policy
from fleetsweep.store.journal import Journal
from fleetsweep.store.journal.database import journal_file
from fleetsweep.store.journal.past import past_of_hosts
from tests.report.build import candidates, container_id, duplicate, guarded, lost, report, surveyed


def run(directory: Path, number: int, *hosts: HostReport, command: str = "sweep", looked: bool = True) -> None:
    made = replace(report(*hosts, command=command), run_id=f"run-{number}", started_ns=number)
    found = {row.host.name: leaks_of(row, Policy()) for row in hosts}
    with Journal(directory, made.run_id, command) as journal:
        journal.finish(made, looked=looked, leaks={name: seen for name, seen in found.items() if seen is not None})


def past(directory: Path, *hosts: str, command: str = "sweep") -> PastOfHosts:
    with Journal(directory, "now", command) as journal:
        made = past_of_hosts(journal, command, unmatched=hosts, stale=hosts, guarded=hosts)
    with closing(sqlite3.connect(journal_file(directory))) as database, database:
        database.execute("DELETE FROM run WHERE id = 'now'")
    return made


def counts(directory: Path, host: str) -> tuple[int, int] | None:
    found = past(directory, host).matches.get(host)
    return (found.others, found.runs) if found else None


def test_runs_without_a_match_are_counted_since_the_last_one(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    run(tmp_path, 1, surveyed("a", others=1), surveyed("b", candidates("ws", 1), others=6))
    assert counts(tmp_path, "a") is None
    assert counts(tmp_path, "b") == (6, 0)
    run(tmp_path, 2, surveyed("b", candidates("ws", 1), others=2))
    assert counts(tmp_path, "b") == (5, 0)
    run(tmp_path, 3, surveyed("b", others=9), command="audit")
    run(tmp_path, 4, lost("b"))
    run(tmp_path, 5, surveyed("b", others=9), command="teardown")
    run(tmp_path, 6, surveyed("b", others=9), looked=False)
    run(tmp_path, 7, duplicate("b", of=surveyed("x", candidates("ws", 1))))
    assert counts(tmp_path, "b") == (5, 1)
    assert isinstance(past(tmp_path, "b").matches["b"], LastMatch)


def test_leaks_are_read_that_one_more_run_would_make_a_warning(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    stuck = surveyed("a", candidates("ws", 1))
    run(tmp_path, 1, stuck)
    assert past(tmp_path, "a").leaks == {}
    run(tmp_path, 2, stuck)
    assert past(tmp_path, "a").leaks == {"a": {container_id("ws-0"): OpenLeak(2, 2)}}
    run(tmp_path, 3, surveyed("a"))
    assert past(tmp_path, "a").leaks == {}


def test_guards_are_counted_that_tripped_in_the_latest_runs_of_the_command(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    stopped = guarded("a", candidates("ws", 3))
    for number, row in enumerate((surveyed("a"), stopped, lost("a"), stopped)):
        run(tmp_path, number, row)
    run(tmp_path, 9, surveyed("a"), command="audit")
    assert past(tmp_path, "a").guarded == {"a": 2}
    assert past(tmp_path, "a", command="audit").guarded == {"a": 0}


def test_a_migrated_journal_knows_what_matched_before(tmp_path: Path) -> None:
    from fleetsweep.store.journal.migrations import MIGRATIONS

    tmp_path.chmod(0o700)
    path = journal_file(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for script in MIGRATIONS[:2]:
            database.executescript(script)
        database.execute("PRAGMA user_version = 2")
        database.execute("INSERT INTO run VALUES ('old', 'audit', 0, 7, 8, 0, NULL)")
        database.execute("INSERT INTO host VALUES ('old', 'a', 'e', 'ok', 1, NULL, 5, 2, 0, 0, 0, 0)")
    path.chmod(0o600)
    assert past(tmp_path, "a").matches == {"a": LastMatch(7, 3, 0)}
