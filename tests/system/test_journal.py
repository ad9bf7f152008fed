"""Intent before removal and outcome after it, through kills, full disks, links and a second sweep."""

from __future__ import annotations

import json
import os
import signal
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from tests.lab import Lab, Spec
from tests.lab.disk import fill, frozen, small_disk
from tests.lab.engine_proxy import EngineProxy, go_on
from tests.lab.fleetsweep_process import FleetsweepProcess, intents
from tests.lab.process import wait_for
from tests.lab.request_gate import Gate
from tests.lab.scripted_engine import Response, ScriptedEngine
from tests.lab.workdir import Workdir, deletes, leaks

DAYS = timedelta(days=2)


def only_row(report: dict[str, Any]) -> dict[str, Any]:
    (row,) = report["hosts"]
    found: dict[str, Any] = row
    return found


# The controller is killed


@pytest.mark.lab
@pytest.mark.parametrize("done_first", [False, True], ids=["before-the-engine-heard", "after-the-engine-did-it"])
def test_a_controller_killed_between_intent_and_outcome_is_settled_by_the_next_run(
    lab: Lab, run: Run, workdir: Workdir, done_first: bool
) -> None:
    box = lab.box("runner-1")
    ids = box.seed([Spec(f"ws-{number}", age=DAYS) for number in range(3)])
    children: list[FleetsweepProcess] = []

    def kill(container_id: str) -> bool:
        children[0].kill()
        return False

    def first_alone(container_id: str) -> bool:
        # The others wait until the kill has cut their connections, so that exactly one is done.
        if proxy.seen[0] == container_id:
            return True
        wait_for(lambda: not children[0].alive(), "the controller's end")
        return False

    proxy = EngineProxy(box.socket)
    if done_first:
        proxy.before, proxy.after = first_alone, kill
    else:
        proxy.before = kill
    with proxy.serve(workdir.socket) as url:
        with FleetsweepProcess(workdir.sweep(url)) as child:
            children.append(child)
            assert child.finish() == -signal.SIGKILL
            assert child.stdout == ""
        victim = proxy.seen[0]
        after_the_kill = box.names()
        begun = intents(workdir.state)
        proxy.before = proxy.after = go_on
        done = run(*workdir.sweep(url))
        rows = intents(workdir.state)
        again = run(*workdir.sweep(url))
    assert {row["outcome"] for row in begun} == {None}
    assert victim in {row["container_id"] for row in begun}
    assert after_the_kill == {name for name, each in ids.items() if not (done_first and each == victim)}

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    settled = only_row(report)["settled"]
    expected = {row["container_id"]: "still-there" for row in begun}
    if done_first:
        expected[victim] = "gone"
    assert {item["id"]: item["outcome"] for item in settled} == expected
    assert {item["name"] for item in settled} == {row["name"] for row in begun}
    assert {item["run_id"] for item in settled} == {begun[0]["run"]}
    assert len(settled) == len(begun)
    assert box.names() == set()
    left = set(ids.values()) - {container_id for container_id, said in expected.items() if said == "gone"}
    totals = report["totals"]
    assert (totals["stale"], totals["removed"], totals["gone"]) == (len(left), len(left), 0)
    assert (totals["unknown"], totals["failed_removals"]) == (0, 0)

    earlier = [row for row in rows if row["run"] == begun[0]["run"]]
    assert {row["container_id"]: (row["outcome"], row["settled"]) for row in earlier} == {
        container_id: ("unknown", said) for container_id, said in expected.items()
    }
    assert {row["settled_run"] for row in earlier} == {report["run_id"]}
    later = [row for row in rows if row["run"] == report["run_id"]]
    assert {row["container_id"]: (row["outcome"], row["settled"]) for row in later} == dict.fromkeys(
        left, ("removed", None)
    )
    assert len(rows) == len(earlier) + len(later) == len(begun) + len(left)

    assert again.returncode == 0, again.stderr
    assert not only_row(json.loads(again.stdout)).get("settled")
    assert intents(workdir.state) == rows


@pytest.mark.parametrize("command", ["sweep", "audit"])
def test_the_table_has_a_line_for_each_intent_that_was_settled(
    workdir: Workdir, gate: Gate, run: Run, command: str
) -> None:
    engine = ScriptedEngine(leaks(2))
    engine.on("^DELETE", gate)
    with engine.serve(workdir.socket) as url:
        with FleetsweepProcess(workdir.sweep(url)) as child:
            gate.await_held(2)
            child.kill()
        spared = gate.held[0].split("/")[2]
        gate.release({gate.held[0]: Response(500, {"message": "no"})})
        wait_for(lambda: len(engine.containers) == 1, "one of the two being removed")
        spared_name = engine.containers[spared].name
        words = ["--yes"] if command == "sweep" else []
        done = run(command, *workdir.local(url), *words)
    assert done.returncode == 0, done.stderr
    (gone,) = {"ws-0", "ws-1"} - {spared_name}
    lines = done.stdout.splitlines()
    assert sum(gone in line and "gone" in line for line in lines) == 1
    assert sum(spared_name in line and "still" in line for line in lines) == 1


def test_an_unknown_outcome_is_settled_once_and_by_the_run_after_it(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine(leaks(1))
    lost = [Response(raw=b"")]
    engine.on("^DELETE", lambda _: lost.pop() if lost else None)
    with engine.serve(workdir.socket) as url:
        first = run(*workdir.sweep(url))
        second = run(*workdir.sweep(url))
        third = run(*workdir.sweep(url))
    reports = [json.loads(done.stdout) for done in (first, second, third)]
    assert [done.returncode for done in (first, second, third)] == [5, 0, 0]
    assert [report["totals"]["unknown"] for report in reports] == [1, 0, 0]
    assert [report["totals"]["removed"] for report in reports] == [0, 1, 0]
    assert [len(only_row(report).get("settled") or ()) for report in reports] == [0, 1, 0]
    assert only_row(reports[1])["settled"][0]["outcome"] == "still-there"
    assert [(row["outcome"], row["settled"]) for row in intents(workdir.state)] == [
        ("unknown", "still-there"),
        ("removed", None),
    ]


def test_an_intent_stays_open_while_its_host_cannot_be_reached(workdir: Workdir, gate: Gate, run: Run) -> None:
    engine = ScriptedEngine(leaks(1))
    engine.on("^DELETE", gate)
    with engine.serve(workdir.socket) as url:
        with FleetsweepProcess(workdir.sweep(url)) as child:
            gate.await_held(1)
            child.kill()
        gate.drop()
    workdir.socket.unlink()
    dead = run(*workdir.sweep(url))
    assert dead.returncode == 3, dead.stderr
    assert [row["settled"] for row in intents(workdir.state)] == [None]
    with engine.serve(workdir.socket) as url:
        done = run(*workdir.sweep(url))
    assert only_row(json.loads(done.stdout))["settled"][0]["outcome"] == "still-there"


def test_only_a_look_at_the_very_place_settles_that_a_container_is_gone(workdir: Workdir, gate: Gate, run: Run) -> None:
    engine, other = ScriptedEngine(leaks(1)), ScriptedEngine([])
    engine.on("^DELETE", gate)
    with engine.serve(workdir.socket) as url, other.serve(workdir.directory / "o.sock") as elsewhere:
        with FleetsweepProcess(workdir.sweep(url)) as child:
            gate.await_held(1)
            child.kill()
        gate.release()
        wait_for(lambda: not engine.containers, "the removal")
        # The host's name is the same, the engine is another one: that it doesn't list the container proves nothing.
        looked = run("audit", *workdir.local(elsewhere), "--format", "json")
    assert looked.returncode == 0, looked.stderr
    assert [item["outcome"] for item in only_row(json.loads(looked.stdout)).get("settled") or ()] in ([], ["unknown"])
    assert "gone" not in {row["settled"] for row in intents(workdir.state)}


# The state directory


def test_the_journal_is_its_owners_alone(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine(leaks(1))
    before = os.umask(0)
    try:
        with engine.serve(workdir.socket) as url:
            done = run(*workdir.sweep(url))
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(workdir.state.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) & 0o077 for path in workdir.state.iterdir()} == {
        path.name: 0 for path in workdir.state.iterdir()
    }


@pytest.mark.parametrize("name", ["journal.db", "lock"])
def test_a_link_in_the_place_of_the_journal_or_the_lock_is_refused(workdir: Workdir, run: Run, name: str) -> None:
    engine = ScriptedEngine(leaks(1))
    workdir.state.mkdir(0o700)
    target = workdir.directory / "target"
    target.write_bytes(b"precious")
    (workdir.state / name).symlink_to(target)
    with engine.serve(workdir.socket) as url:
        done = run(*workdir.sweep(url))
    assert done.returncode == 2, done.stdout
    assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert engine.requests == []
    assert target.read_bytes() == b"precious"


def test_a_directory_of_another_user_or_behind_a_link_is_refused(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine(leaks(1))
    real = workdir.directory / "real"
    real.mkdir(0o700)
    with engine.serve(workdir.socket) as url:
        workdir.state.symlink_to(real)
        linked = run(*workdir.sweep(url))
        workdir.state.unlink()
        workdir.state.mkdir(0o700)
        os.chown(workdir.state, 65534, 65534)
        foreign = run(*workdir.sweep(url))
        os.chown(workdir.state, 54321, 54321)
        nameless = run(*workdir.sweep(url))
    assert (linked.returncode, foreign.returncode, nameless.returncode) == (2, 2, 2)
    assert "belongs to nobody: run this as that account (sudo -u nobody fleetsweep ...)" in foreign.stderr
    assert "belongs to #54321: run this as that account (sudo -u '#54321' " in nameless.stderr
    assert engine.requests == []
    assert list(real.iterdir()) == []


def test_a_journal_that_is_no_database_is_refused_and_left_as_it_is(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine(leaks(1))
    workdir.state.mkdir(0o700)
    (workdir.state / "journal.db").write_bytes(b"not a database, but somebody's notes\n" * 200)
    before = (workdir.state / "journal.db").read_bytes()
    with engine.serve(workdir.socket) as url:
        done = run(*workdir.sweep(url))
    assert done.returncode == 2, done.stdout
    assert "journal" in done.stderr
    assert "move it away" in done.stderr
    assert "Traceback" not in done.stderr
    assert engine.requests == []
    assert (workdir.state / "journal.db").read_bytes() == before


# A full disk


def test_a_full_state_directory_removes_nothing_and_says_what_to_free(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine(leaks(2))
    with small_disk(workdir.state) as disk, engine.serve(workdir.socket) as url:
        fill(disk)
        done = run(*workdir.sweep(url))
    assert done.returncode == 2, done.stdout
    assert str(workdir.state) in done.stderr
    assert "free" in done.stderr
    assert "Traceback" not in done.stderr
    assert engine.requests == []


@pytest.mark.parametrize("pages", [1, 6, 10, 12, 14])
def test_wherever_the_disk_gets_full_no_removal_goes_without_its_intent(workdir: Workdir, run: Run, pages: int) -> None:
    engine = ScriptedEngine(leaks(8))
    with small_disk(workdir.state) as disk, engine.serve(workdir.socket) as url:
        filler = fill(disk, pages_left=pages)
        done = run(*workdir.sweep(url))
        filler.unlink()
        written = {row["container_id"] for row in intents(workdir.state)} if deletes(engine) else set()
    assert "Traceback" not in done.stderr
    assert set(deletes(engine)) <= written
    assert (done.returncode == 0) is not bool(engine.containers)
    if done.returncode:
        assert "free" in done.stdout + done.stderr


def test_a_disk_that_gets_full_in_the_middle_stops_the_host_with_the_reason_and_is_settled_later(
    workdir: Workdir, run: Run
) -> None:
    engine = ScriptedEngine(leaks(12))
    with small_disk(workdir.state, "512k") as disk, engine.serve(workdir.socket) as url:
        engine.on("^DELETE", lambda _: fill_up(disk))
        done = run(*workdir.sweep(url))
        asked = deletes(engine)
        report = json.loads(done.stdout)
        (disk / "filler").unlink()
        written = intents(workdir.state)
        # The hook fills the disk once only.
        (disk / "filler").touch()
        later = run(*workdir.sweep(url))
        settled_rows = intents(workdir.state)
    assert done.returncode not in {0, 1, 2}
    assert 1 <= len(asked) < 12
    assert set(asked) <= {row["container_id"] for row in written}
    row = only_row(report)
    assert row["status"] == "failed"
    assert "journal" in row["error"]["message"]
    assert "free" in row["error"]["message"] + row["error"]["remedy"]
    # What the engine did is in the report, whether or not it could be written down.
    assert row["removed"] == len(asked)
    assert later.returncode == 0, later.stderr
    again = json.loads(later.stdout)
    assert again["totals"]["removed"] == 12 - len(asked)
    still_open = {row["container_id"] for row in written if row["outcome"] in {None, "unknown"}}
    assert {item["id"]: item["outcome"] for item in only_row(again).get("settled") or ()} == {
        container_id: "gone" if container_id in asked else "still-there" for container_id in still_open
    }
    assert all(row["outcome"] is not None for row in settled_rows)


def test_a_disk_that_gets_full_after_the_look_removes_nothing_and_still_reports(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine(leaks(2))
    with small_disk(workdir.state, "512k") as disk, engine.serve(workdir.socket) as url:
        engine.on("^GET /containers/json", lambda _: fill_up(disk))
        done = run(*workdir.sweep(url))
        looked = run("audit", *workdir.local(url), "--format", "json")
    assert done.returncode not in {0, 1, 2}
    assert "free" in done.stdout + done.stderr
    assert deletes(engine) == []
    row = only_row(json.loads(done.stdout))
    assert (row["stale"], row["removed"]) == (2, 0)
    assert row["status"] != "ok"
    assert looked.returncode == 0, looked.stderr
    assert only_row(json.loads(looked.stdout))["stale"] == 2
    assert "Traceback" not in done.stderr + looked.stderr


def fill_up(disk: Path) -> None:
    if not (disk / "filler").exists():
        fill(disk)


@pytest.mark.parametrize("used_before", [False, True])
def test_with_a_read_only_state_directory_an_audit_goes_on_and_a_sweep_does_not(
    workdir: Workdir, run: Run, used_before: bool
) -> None:
    engine = ScriptedEngine(leaks(1))
    workdir.state.mkdir(0o700)
    with engine.serve(workdir.socket) as url:
        if used_before:
            assert run(*workdir.sweep(url, "--cap", "0")).returncode == 4
            engine.requests.clear()
        with frozen(workdir.state):
            swept = run(*workdir.sweep(url))
            seen_by_sweep = list(engine.requests)
            audited = run("audit", *workdir.local(url), "--format", "json")
    assert swept.returncode == 2, swept.stdout
    assert str(workdir.state) in swept.stderr
    assert seen_by_sweep == []
    assert audited.returncode == 0, audited.stderr
    assert only_row(json.loads(audited.stdout))["stale"] == 1
    assert str(workdir.state) in audited.stderr
    assert "Traceback" not in audited.stderr + swept.stderr


# Two controllers


def test_a_second_sweep_waits_for_the_first_names_it_and_finds_nothing_to_do(workdir: Workdir, gate: Gate) -> None:
    engine = ScriptedEngine(leaks(3))
    engine.on("^DELETE", gate)
    with engine.serve(workdir.socket) as url, FleetsweepProcess(workdir.sweep(url)) as first:
        gate.await_held(3)
        seen = len(engine.requests)
        with FleetsweepProcess(workdir.sweep(url)) as second:
            wait_for(lambda: str(first.pid) in second.stderr, "the second one naming the first")
            assert len(engine.requests) == seen
            assert second.alive()
            gate.release()
            assert (first.finish(), second.finish()) == (0, 0)
            assert first.report()["totals"]["removed"] == 3
            totals = second.report()["totals"]
            assert (totals["stale"], totals["removed"], totals["gone"]) == (0, 0, 0)
            assert not only_row(second.report()).get("settled")
    assert len(deletes(engine)) == 3
    assert [row["outcome"] for row in intents(workdir.state)] == ["removed"] * 3


def test_when_the_first_sweep_is_killed_the_second_goes_on_and_settles_its_intents(
    workdir: Workdir, gate: Gate
) -> None:
    engine = ScriptedEngine(leaks(3))
    engine.on("^DELETE", gate)
    with engine.serve(workdir.socket) as url, FleetsweepProcess(workdir.sweep(url)) as first:
        gate.await_held(3)
        with FleetsweepProcess(workdir.sweep(url)) as second:
            wait_for(lambda: str(first.pid) in second.stderr, "the second one naming the first")
            gate.drop()
            first.kill()
            assert second.finish() == 0
            report = second.report()
    assert report["totals"]["removed"] == 3
    assert [item["outcome"] for item in only_row(report)["settled"]] == ["still-there"] * 3


def test_a_sweep_that_may_not_wait_long_gives_up_having_contacted_no_host(
    workdir: Workdir, gate: Gate, run: Run
) -> None:
    engine = ScriptedEngine(leaks(3))
    engine.on("^DELETE", gate)
    with engine.serve(workdir.socket) as url, FleetsweepProcess(workdir.sweep(url)) as first:
        gate.await_held(3)
        seen = len(engine.requests)
        done = run(*workdir.sweep(url, "--lock-wait", "1s"))
        assert done.returncode == 2, done.stdout
        assert str(first.pid) in done.stderr
        assert len(engine.requests) == seen
        assert first.alive()
        gate.release()
        assert first.finish() == 0


def test_an_audit_waits_for_no_sweep_and_settles_nothing_of_one_that_runs(
    workdir: Workdir, gate: Gate, run: Run
) -> None:
    engine = ScriptedEngine(leaks(3))
    engine.on("^DELETE", gate)
    with engine.serve(workdir.socket) as url, FleetsweepProcess(workdir.sweep(url)) as first:
        gate.await_held(3)
        done = run("audit", *workdir.local(url), "--format", "json")
        assert done.returncode == 0, done.stderr
        row = only_row(json.loads(done.stdout))
        assert row["stale"] == 3
        assert not row.get("settled")
        gate.release()
        assert first.finish() == 0
    assert [(row["outcome"], row["settled"]) for row in intents(workdir.state)] == [("removed", None)] * 3


def test_a_signal_ends_the_wait_for_another_sweep(workdir: Workdir, gate: Gate) -> None:
    engine = ScriptedEngine(leaks(1))
    engine.on("^DELETE", gate)
    with engine.serve(workdir.socket) as url, FleetsweepProcess(workdir.sweep(url)) as first:
        gate.await_held(1)
        with FleetsweepProcess(workdir.sweep(url)) as second:
            wait_for(lambda: str(first.pid) in second.stderr, "the second one naming the first")
            second.signal(signal.SIGTERM)
            assert second.finish(10) == 143
            assert "Traceback" not in second.stderr
        gate.release()
        assert first.finish() == 0
