"""What the journal's runs of one command added up to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fleetsweep.model.report import HostReport
from fleetsweep.store.journal import Journal
from fleetsweep.store.journal.totals import counters, last_successes
from tests.report.build import guarded, lost, report, surveyed


def run(directory: Path, number: int, *hosts: HostReport, exit_code: int = 0) -> None:
    made = replace(report(*hosts, command="sweep"), run_id=f"run-{number}", exit_code=exit_code)
    made = replace(made, started_ns=number * 10, finished_ns=number * 10 + 5)
    with Journal(directory, made.run_id, "sweep") as journal:
        journal.finish(made, looked=True, leaks={})


def test_a_success_is_the_last_run_or_host_without_a_fault_or_guard(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    run(tmp_path, 1, surveyed("a"), surveyed("b"), surveyed("c"))
    run(tmp_path, 2, surveyed("a"), guarded("b"), lost("c"), lost("d"), exit_code=4)
    with Journal(tmp_path, "now", "audit") as journal:
        found = last_successes(journal, "sweep", ["a", "b", "c", "d"])
        assert (found.run_ns, found.hosts) == (15, {"a": 25, "b": 15, "c": 15})
        assert found.seen == {"a", "b", "c"}, "d has never been surveyed"
        assert last_successes(journal, "audit", ["a"]).run_ns is None


def test_counters_are_of_one_command(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    run(tmp_path, 1, surveyed("a"))
    run(tmp_path, 2, surveyed("a"), lost("b"), exit_code=3)
    with Journal(tmp_path, "now", "audit") as journal:
        assert counters(journal, "sweep").runs["runs"] == 2
        assert "runs" not in counters(journal, "teardown").runs
