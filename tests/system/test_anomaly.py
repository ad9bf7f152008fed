"""``--anomaly`` in whole runs: the history is that of the journal."""

from __future__ import annotations

import json
import socket
from datetime import timedelta
from pathlib import Path

from fleetsweep.store.journal import Journal
from tests.conftest import Run
from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir, deletes, leaks
from tests.report.build import candidates, report, surveyed


def remember(directory: Path) -> None:
    """Write a journal of ten audits that found one stale container each."""
    directory.mkdir(mode=0o700)
    for number in range(10):
        made = report(surveyed(socket.gethostname(), candidates("ws", 1)), command="audit")
        with Journal(directory, f"run-{number}", "audit") as journal:
            journal.finish(made, looked=True)


def test_a_host_with_far_more_candidates_than_ever_is_left_alone_until_the_flag_is_left_out(
    workdir: Workdir, run: Run
) -> None:
    remember(workdir.state)
    engine = ScriptedEngine(leaks(40))
    with engine.serve(workdir.socket) as address:
        explained = run("explain", *workdir.local(address), "--anomaly", "ws-7")
        stopped = run(*workdir.sweep(address, "--anomaly"))
        assert deletes(engine) == []
        other = run(*workdir.sweep(address), environ={"FLEETSWEEP_ANOMALY": "maybe"})
        allowed = run(*workdir.sweep(address), environ={"FLEETSWEEP_ANOMALY": "off"})
    assert "anomaly" in explained.stdout
    assert stopped.returncode == 4
    (host,) = json.loads(stopped.stdout)["hosts"]
    assert {key: host["guard"][key] for key in ("name", "limit", "found")} == {
        "name": "anomaly", "limit": 11, "found": 40
    }  # fmt: skip
    assert (other.returncode, allowed.returncode) == (2, 0), allowed.stderr
    assert len(deletes(engine)) == 40


def test_a_usual_number_is_removed(workdir: Workdir, run: Run) -> None:
    remember(workdir.state)
    engine = ScriptedEngine([*leaks(11), ScriptedContainer("f" * 64, "ws-new", age=timedelta(minutes=1))])
    with engine.serve(workdir.socket) as address:
        done = run(*workdir.sweep(address, "--anomaly"))
    assert done.returncode == 0, done.stderr
    assert len(deletes(engine)) == 11
