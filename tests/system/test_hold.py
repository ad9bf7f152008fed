"""A held container survives sweeps and teardowns until the hold ends."""

from __future__ import annotations

import getpass
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta

import pytest

from tests.conftest import Run
from tests.lab import Lab, Spec
from tests.lab.scripted_engine import Response, ScriptedEngine
from tests.lab.workdir import Workdir, deletes, leaks

DAYS = timedelta(days=2)


def reasons(report: str) -> dict[str, tuple[str, str | None]]:
    """Each container's reason and outcome, by its name."""
    rows = json.loads(report)["hosts"]
    return {each["name"]: (each["reason"], each["outcome"]) for row in rows for each in row["decisions"]}


@pytest.mark.lab
def test_a_held_container_lives_until_it_is_released(lab: Lab, run: Run) -> None:
    box = lab.box("runner-2")
    ids = box.seed([Spec("ws-1", age=DAYS), Spec("ws-2", age=DAYS)])
    held = run("hold", *lab.options(), "ws-1", "--for", "2h", "-m", "ann debugs\x1b job 812")
    assert held.returncode == 0, held.stderr
    assert held.stdout.startswith(f"ws-1 on runner-2 is held by {getpass.getuser()} until 20")
    assert held.stdout.endswith(": ann debugs\\x1b job 812\n")

    explained = run("explain", *lab.options(), "ws-1").stdout
    assert "verdict: keep (held)" in explained
    assert "ann debugs" in explained
    for words in (["audit"], ["sweep", "--dry-run"], ["sweep", "--yes"]):
        done = run(*words, *lab.options(), "--format", "json")
        assert (done.returncode, reasons(done.stdout)["ws-1"]) == (0, ("held", None)), done.stderr
    assert box.names() == {"ws-1"}

    (listed,) = json.loads(run("hold", "--list", "--state-dir", str(lab.state), "--format", "json").stdout)["holds"]
    assert (listed["host"], listed["id"], listed["name"]) == ("runner-2", ids["ws-1"], "ws-1")
    released = run("hold", "--release", "ws-1", "--state-dir", str(lab.state))
    assert "no longer held by" in released.stdout
    assert reasons(run("sweep", *lab.options(), "--yes", "--format", "json").stdout)["ws-1"] == ("stale", "removed")
    assert box.names() == set()


def test_a_hold_says_where_it_counts(workdir: Workdir, run: Run) -> None:
    with ScriptedEngine(leaks(1)).serve(workdir.socket) as url:
        held = run("hold", *workdir.local(url), "ws-0", "-m", "mine")
        assert f"counts for runs with the state directory {workdir.state}. Other accounts and machines" in held.stderr
        # What another account's journal holds is no protection here.
        other = run("sweep", *workdir.local(url), "--state-dir", str(workdir.directory / "other"), "--yes")
    assert other.returncode == 0
    assert "held" not in other.stdout


@pytest.mark.lab
def test_a_runs_teardown_leaves_what_is_held(lab: Lab, run: Run) -> None:
    box = lab.box("runner-1")
    box.seed([Spec("ws-1", labels={"run": "7"}), Spec("ws-2", labels={"run": "7"})])
    run("hold", *lab.options(), "ws-2", "-m", "why did it fail?")
    done = run("teardown", *lab.options(), "--run-label", "run=7", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert reasons(done.stdout) == {"ws-1": ("run", "removed"), "ws-2": ("held", None)}
    assert box.names() == {"ws-2"}
    run("hold", "--release", "ws-2", "--state-dir", str(lab.state))


def test_a_hold_that_is_placed_under_a_saved_plan_is_seen_at_the_second_look(workdir: Workdir, run: Run) -> None:
    engine, plan = ScriptedEngine(leaks(2)), workdir.directory / "plan.json"
    with engine.serve(workdir.socket) as url:
        run("audit", *workdir.local(url), "--save-plan", str(plan))
        run("hold", *workdir.local(url), "ws-1", "-m", "mine")
        done = run(*workdir.sweep(url, "--plan", str(plan)))
    assert done.returncode == 0, done.stderr
    assert reasons(done.stdout) == {"ws-0": ("stale", "removed"), "ws-1": ("stale", "changed")}
    assert deletes(engine) == [f"{0:064x}"]
    assert "it is held now" in done.stdout


def test_a_hold_ends_by_itself_and_is_placed_again_in_its_own_place(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine(leaks(1))
    with engine.serve(workdir.socket) as url:
        for reason in ("first", "second"):
            assert run("hold", *workdir.local(url), "ws-0", "-m", reason).returncode == 0
        listed = run("hold", "--list", "--state-dir", str(workdir.state)).stdout.splitlines()
        assert len(listed) == 2
        assert listed[1].endswith("second")
        with closing(sqlite3.connect(workdir.state / "journal.db")) as journal, journal:
            journal.execute("UPDATE hold SET until_ns = since_ns - 1")
        assert len(run("hold", "--list", "--state-dir", str(workdir.state)).stdout.splitlines()) == 1
        assert reasons(run(*workdir.sweep(url)).stdout) == {"ws-0": ("stale", "removed")}


def test_a_held_container_is_asked_for_nothing_but_what_it_lives_on(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine(leaks(2))
    with engine.serve(workdir.socket) as url:
        run("hold", *workdir.local(url), f"{1:064x}", "-m", "mine")
        engine.requests.clear()
        run("audit", *workdir.local(url))
    inspected = [path for _, path in engine.requests if path.endswith("/json") and "/containers/json" not in path]
    assert inspected == [f"/containers/{number:064x}/json" for number in (0, 1)]
    engine.containers.pop(f"{0:064x}")
    with engine.serve(workdir.directory / "again.sock") as url:
        engine.requests.clear()
        run("audit", *workdir.local(url))
    assert [path for _, path in engine.requests] == ["/containers/json"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ws-0"], "give --reason"),
        (["ws-0", "-m", "  "], "give --reason"),
        (["ws-0", "-m", "x", "--for", "31d"], "--for: a hold lasts at most 30 days"),
        (["ws-0", "-m", "x", "--for", "0s"], "--for"),
        ([], "which container?"),
        (["--release"], "which container?"),
        (["--release", "ws-0"], "'ws-0' is the name or id of no held container"),
        (["--list", "ws-0"], "--list shows all holds"),
        (["--list", "--release"], "--list shows all holds"),
    ],
)
def test_what_can_not_be_meant_is_an_error_and_no_host_is_contacted(
    workdir: Workdir, run: Run, words: list[str], told: str
) -> None:
    engine = ScriptedEngine(leaks(1))
    with engine.serve(workdir.socket) as url:
        done = run("hold", *workdir.local(url), *words)
    assert (done.returncode, done.stdout, engine.requests) == (2, "", [])
    assert told in done.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [("ws", "means 2 containers (ws-0 on "), ("nobody", "is the name or id of no container"), ("", "of no container")],
)
def test_none_or_several_are_not_held(workdir: Workdir, run: Run, text: str, told: str) -> None:
    with ScriptedEngine(leaks(2)).serve(workdir.socket) as url:
        done = run("hold", *workdir.local(url), text, "-m", "mine")
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert len(run("hold", "--list", "--state-dir", str(workdir.state)).stdout.splitlines()) == 1


def test_a_release_that_means_several_ends_none(workdir: Workdir, run: Run) -> None:
    with ScriptedEngine(leaks(2)).serve(workdir.socket) as url:
        for number in range(2):
            run("hold", *workdir.local(url), f"ws-{number}", "-m", "mine")
    for text, told in (("ws", "'ws' means 2 holds"), ("", "of no held container")):
        done = run("hold", "--release", text, "--state-dir", str(workdir.state))
        assert (done.returncode, told in done.stderr) == (2, True)
    assert run("hold", "--release", f"{1:064x}"[:63], "--state-dir", str(workdir.state)).returncode == 2
    assert run("hold", "--release", f"{1:064x}", "--state-dir", str(workdir.state)).returncode == 0
    assert len(run("hold", "--list", "--state-dir", str(workdir.state)).stdout.splitlines()) == 2


def test_where_a_host_could_not_be_looked_at_there_may_be_another_and_the_exit_code_says_so(
    workdir: Workdir, run: Run
) -> None:
    engine = ScriptedEngine(leaks(1))
    engine.on("GET /containers/json", lambda _: Response(500, {"message": "no"}))
    with engine.serve(workdir.socket) as url:
        done = run("hold", *workdir.local(url), "ws-0", "-m", "mine")
    assert (done.returncode, done.stdout) == (3, "")
    assert "could not be surveyed" in done.stderr


def test_a_journal_that_can_not_be_written_is_reported_before_any_contact(workdir: Workdir, run: Run) -> None:
    workdir.state.mkdir()
    workdir.state.chmod(0o777)
    engine = ScriptedEngine(leaks(1))
    with engine.serve(workdir.socket) as url:
        done = run("hold", *workdir.local(url), "ws-0", "-m", "mine")
    assert (done.returncode, engine.requests) == (2, [])
    assert "can be written by others" in done.stderr


def test_a_look_by_a_clock_that_is_months_ahead_forgets_neither_holds_nor_runs(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine(leaks(1))
    ahead = ["faketime", "-f", "+121d", sys.executable, "-m", "fleetsweep", "audit"]
    with engine.serve(workdir.socket) as url:
        assert run("hold", *workdir.local(url), "ws-0", "--for", "30d", "-m", "mine").returncode == 0
        assert run("audit", *workdir.local(url)).returncode == 0
        for _ in range(2):
            looked = subprocess.run(
                [*ahead, *workdir.local(url)],
                check=False,
                capture_output=True,
                timeout=60,
                env={**os.environ, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"},
            )
            assert looked.returncode == 4, looked.stderr
        done = run(*workdir.sweep(url))
    assert (done.returncode, reasons(done.stdout)) == (0, {"ws-0": ("held", None)}), done.stderr
    assert deletes(engine) == []
    remembered = json.loads(run("history", "--state-dir", str(workdir.state), "--format", "json").stdout)["runs"]
    assert len(remembered) == 4
