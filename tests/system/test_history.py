"""The history of runs, as an operator queries it."""

from __future__ import annotations

import json
import os
import pwd
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.lab import Lab, Spec
from tests.lab.fleetsweep_process import FleetsweepProcess
from tests.lab.request_gate import Gate
from tests.lab.scripted_engine import ScriptedEngine
from tests.lab.workdir import Workdir, leaks

DAYS = timedelta(days=2)


@pytest.mark.lab
def test_a_sweep_of_the_fleet_is_remembered_host_by_host_and_container_by_container(
    lab: Lab, run: Run, tmp_path: Path
) -> None:
    state = ("--state-dir", str(tmp_path / "state"))
    ids = lab.box("runner-1").seed([Spec("ws-1", age=DAYS), Spec("ws-2", age=DAYS), Spec("ws-3", labels={"x": "y"})])
    run("audit", *lab.options(), *state)
    done = run("sweep", *lab.options(), *state, "--yes", "--format", "json")
    assert done.returncode == 0, done.stderr
    swept = json.loads(done.stdout)
    history = run("history", *state, "--format", "json")
    assert history.returncode == 0, history.stderr
    listed = json.loads(history.stdout)["runs"]
    assert [(each["command"], each["exit_code"], each["stale"], each["removed"]) for each in listed] == [
        ("sweep", 0, 2, 2),
        ("audit", 0, 2, 0),
    ]
    assert (listed[0]["run_id"], listed[0]["hosts"], listed[0]["ok"]) == (swept["run_id"], 3, 3)
    shown = json.loads(run("show", listed[0]["run_id"][:-1], *state, "--format", "json").stdout)
    assert {(each["host"], each["id"], each["name"], each["outcome"]) for each in shown["removals"]} == {
        ("runner-1", ids[name], name, "removed") for name in ("ws-1", "ws-2")
    }
    assert [each["host"] for each in shown["hosts"]] == ["runner-1", "runner-2", "runner-3"]
    table = run("show", *state).stdout
    assert "exit code 0: all is well" in table.splitlines()[0]
    assert ids["ws-1"][:12] in table


def test_a_killed_sweep_says_what_it_left_open_and_then_who_settled_it(workdir: Workdir, run: Run) -> None:
    state = ("--state-dir", str(workdir.state))
    engine = ScriptedEngine(leaks(1))
    gate = Gate()
    engine.on("DELETE /containers", gate)
    with engine.serve(workdir.socket) as url:
        with FleetsweepProcess(workdir.sweep(url)) as child:
            gate.await_held(1)
            at_work = run("history", *state).stdout
            child.kill()
        gate.drop()
        before = run("show", *state).stdout
        settling = json.loads(run("audit", *workdir.local(url), "--format", "json").stdout)["run_id"]
    assert "not ended, 1 unknown" in at_work
    assert "did not end: it is still running, or was killed" in before
    assert before.splitlines()[3].endswith("unknown")
    killed = json.loads(run("history", *state, "--format", "json").stdout)["runs"][-1]
    assert (killed["exit_code"], killed["unknown"]) == (None, 0)
    (removal,) = json.loads(run("show", killed["run_id"], *state, "--format", "json").stdout)["removals"]
    assert (removal["outcome"], removal["settled"], removal["settled_by"]) == ("unknown", "still-there", settling)


def test_where_no_run_was_like_that_the_answer_is_empty_and_the_exit_code_0(workdir: Workdir, run: Run) -> None:
    with ScriptedEngine([]).serve(workdir.socket) as url:
        run("audit", *workdir.local(url))
    done = run("history", "--state-dir", str(workdir.state), "--failed")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    assert "No matching runs." in done.stderr


def test_without_a_journal_nothing_is_made_and_the_exit_code_is_2(workdir: Workdir, run: Run) -> None:
    for words in (["history"], ["show"], ["show", "2026"]):
        done = run(*words, "--state-dir", str(workdir.state))
        assert (done.returncode, done.stdout) == (2, "")
        assert "--state-dir" in done.stderr
    assert not workdir.state.exists()


def test_root_reads_a_timers_journal_and_leaves_nothing_there_that_the_timer_can_not_write(
    workdir: Workdir, run: Run
) -> None:
    with ScriptedEngine([]).serve(workdir.socket) as url:
        run("audit", *workdir.local(url))
        nobody = pwd.getpwnam("nobody")
        for path in (workdir.state, *workdir.state.iterdir()):
            shutil.chown(path, nobody.pw_uid, nobody.pw_gid)
        assert run("history", "--state-dir", str(workdir.state)).returncode == 0
    assert {path.stat().st_uid for path in workdir.state.iterdir()} == {nobody.pw_uid}
    assert os.geteuid() != nobody.pw_uid
