"""A bug of fleetsweep in mid-run: every row is printed, the journal is written, and the exit code is 1."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from sqlite3 import connect

import pytest

from tests.lab.scripted_engine import ScriptedEngine
from tests.lab.workdir import Workdir, deletes, leaks

PLANT = """
import {module} as planted
def bug(*args, **kwargs):
    raise ZeroDivisionError("planted")
planted.{name} = bug
from fleetsweep.__main__ import main
main()
"""


def run_with_bug(workdir: Workdir, url: str, where: str) -> subprocess.CompletedProcess[str]:
    module, _, name = where.rpartition(".")
    code = PLANT.format(module=module, name=name)
    return subprocess.run(
        [sys.executable, "-c", code, *workdir.sweep(url)], check=False, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("where", "removed"),
    [
        ("fleetsweep.policy.guards.Twins", 0),
        ("fleetsweep.policy.guards.plan_host", 0),
        ("fleetsweep.policy.guards._fleet_guard", 0),
        ("fleetsweep.sweep.phases.apply", 0),
        ("fleetsweep.sweep.phases._applied", 2),
        ("fleetsweep.store.plan_file.summarize", 0),
    ],
)
def test_a_bug_in_a_phase_costs_neither_the_rows_nor_the_journal(workdir: Workdir, where: str, removed: int) -> None:
    engine = ScriptedEngine(leaks(2))
    with engine.serve(workdir.socket) as url:
        done = run_with_bug(workdir, url, where)
    assert done.returncode == 1, done.stderr
    assert "planted" in done.stderr
    (row,) = json.loads(done.stdout)["hosts"]
    assert (row["status"], row["error"]["kind"]) == ("failed", "bug")
    assert len(deletes(engine)) == removed
    with closing(connect(workdir.state / "journal.db")) as journal:
        assert journal.execute("SELECT exit_code FROM run").fetchall() == [(1,)]
        assert journal.execute("SELECT status FROM host").fetchall() == [("failed",)]


def test_a_bug_in_the_report_still_names_every_host_and_how_it_ended(workdir: Workdir) -> None:
    engine = ScriptedEngine(leaks(2))
    with engine.serve(workdir.socket) as url:
        done = run_with_bug(workdir, url, "fleetsweep.report.render")
    assert done.returncode == 1, done.stderr
    assert done.stdout.endswith(": ok\n")
    assert len(deletes(engine)) == 2
    with closing(connect(workdir.state / "journal.db")) as journal:
        assert journal.execute("SELECT exit_code FROM run").fetchall() == [(1,)]
