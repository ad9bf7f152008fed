"""What succeeds and is of no use is reported: on real boxes whose jobs name their containers differently."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.lab import Lab, Spec
from tests.lab.scripted_engine import Response, ScriptedEngine
from tests.lab.workdir import Workdir, leaks


@pytest.mark.lab
def test_a_renamed_prefix_is_reported_within_two_runs(lab: Lab, run: Run, tmp_path: Path) -> None:
    box = lab.box("runner-1")
    box.seed([Spec("ws-job", age=timedelta(days=2))])
    words = ("sweep", *lab.options(), "--state-dir", str(tmp_path / "state"), "--yes", "--name", "^ws-")
    assert run(*words).returncode == 0
    box.seed([Spec("job-1", age=timedelta(days=2)), Spec("job-2")])
    first = run(*words)
    second = run(*words)
    assert (first.returncode, second.returncode) == (0, 0), second.stderr
    assert "warning" not in first.stdout
    assert "fleet: warning: no container on any host has matched for 2 runs" in second.stdout
    assert "2 more containers than then match no selector" in second.stdout
    assert box.names() == {"job-1", "job-2"}


def test_a_removal_that_each_sweep_is_refused_is_reported_by_the_third(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine(leaks(2))
    engine.on("DELETE", lambda _: Response(500, {"message": "busy"}))
    with engine.serve(workdir.socket) as address:
        done = [run(*workdir.sweep(address), "--format", "json") for _ in range(3)]
    assert [each.returncode for each in done] == [5, 5, 5]
    warnings = [json.loads(each.stdout)["warnings"] for each in done]
    assert warnings[:2] == [[], []]
    ((warning,),) = warnings[2:]
    assert (warning["kind"], warning["host"] is None, warning["runs"]) == ("not-removed", False, 3)
    assert warning["message"] == "2 stale containers are still there after 3 sweeps"


def test_a_guard_that_trips_in_three_runs_is_reported_as_a_list_item_of_markdown(workdir: Workdir, run: Run) -> None:
    with ScriptedEngine(leaks(2)).serve(workdir.socket) as address:
        done = [run(*workdir.sweep(address), "--cap", "1", "--format=markdown") for _ in range(3)]
    assert [each.returncode for each in done] == [4, 4, 4]
    assert ["warning" in each.stdout for each in done] == [False, False, True]
    assert "warning: a guard has tripped here for 3 runs, now cap" in done[2].stdout
