"""Signals and lost output: started removals finish, finished ones are reported, and no new one starts."""

from __future__ import annotations

import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.lab.fleetsweep_process import FleetsweepProcess, intents
from tests.lab.process import wait_for
from tests.lab.prompt import terminal
from tests.lab.request_gate import Gate
from tests.lab.scripted_engine import Response, ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir, deletes, leaks

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
IN_FLIGHT = 4


def gated(gate: Gate, count: int = 10) -> ScriptedEngine:
    engine = ScriptedEngine(leaks(count))
    engine.on("^DELETE", gate)
    return engine


@pytest.mark.parametrize("number", SIGNALS)
def test_one_signal_lets_removals_in_flight_finish_and_begins_no_other(
    workdir: Workdir, gate: Gate, number: signal.Signals
) -> None:
    engine = gated(gate)
    with engine.serve(workdir.socket) as url, FleetsweepProcess(workdir.sweep(url)) as child:
        gate.await_held(IN_FLIGHT)
        child.signal(number)
        assert child.alive()
        gate.release()
        assert child.finish() == 128 + number
        report = child.report()
        assert "Traceback" not in child.stderr
    assert len(deletes(engine)) == IN_FLIGHT
    assert (report["totals"]["removed"], report["totals"]["unknown"]) == (IN_FLIGHT, 0)
    assert len(engine.containers) == 10 - IN_FLIGHT
    (row,) = report["hosts"]
    assert row["status"] == "interrupted"
    assert report["exit_code"] == 128 + number
    told = {item["id"] for item in row["decisions"] if item.get("outcome") == "removed"}
    assert told == set(deletes(engine))
    written = intents(workdir.state)
    assert {row["container_id"]: row["outcome"] for row in written} == dict.fromkeys(told, "removed")
    assert len(written) == IN_FLIGHT


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_ends_it_at_once_and_the_next_run_settles_what_was_open(
    workdir: Workdir, gate: Gate, run: Run, number: signal.Signals
) -> None:
    engine = gated(gate)
    with engine.serve(workdir.socket) as url:
        with FleetsweepProcess(workdir.sweep(url)) as child:
            gate.await_held(IN_FLIGHT)
            child.signal(number)
            child.signal(number)
            # The removals are still held back: nothing but the second signal can end it.
            assert child.finish(5) == 128 + number
        spared = gate.held[0]
        gate.release({spared: Response(500, {"message": "no"})})
        wait_for(lambda: len(engine.containers) == 10 - IN_FLIGHT + 1, "three of the four being removed")
        asked = len(deletes(engine))
        done = run(*workdir.sweep(url))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    (row,) = report["hosts"]
    expected = {path.split("/")[2]: "still-there" if path == spared else "gone" for path in gate.held}
    assert {item["id"]: item["outcome"] for item in row["settled"]} == expected
    assert report["totals"]["removed"] == 10 - IN_FLIGHT + 1 == len(deletes(engine)) - asked
    first = [row for row in intents(workdir.state) if row["run"] != report["run_id"]]
    assert {row["container_id"]: (row["outcome"], row["settled"]) for row in first} == {
        container_id: ("unknown", settled) for container_id, settled in expected.items()
    }


def test_a_signal_before_the_first_removal_removes_nothing(workdir: Workdir, gate: Gate) -> None:
    engine = ScriptedEngine(leaks(3))
    engine.on("^GET /containers/json", gate)
    with engine.serve(workdir.socket) as url, FleetsweepProcess(workdir.sweep(url)) as child:
        gate.await_held(1)
        child.signal(signal.SIGINT)
        gate.release()
        assert child.finish() == 130
        (row,) = child.report()["hosts"]
    assert row["removed"] == 0
    assert deletes(engine) == []
    assert intents(workdir.state) == []


@pytest.mark.parametrize("style", ["table", "json"])
def test_a_reader_that_goes_away_costs_neither_the_journal_nor_a_traceback(
    workdir: Workdir, gate: Gate, style: str
) -> None:
    engine = gated(gate)
    read, write = os.pipe()
    with (
        engine.serve(workdir.socket) as url,
        FleetsweepProcess([*workdir.sweep(url), "--format", style], stdout=write) as child,
    ):
        os.close(write)
        gate.await_held(IN_FLIGHT)
        os.close(read)
        gate.release()
        code = child.finish()
        assert "Traceback" not in child.stderr
        assert "BrokenPipe" not in child.stderr
    assert code != 1
    assert_journal_is_whole(workdir, engine)


def test_a_reader_of_the_first_line_alone_gets_it_and_the_journal_is_whole(workdir: Workdir) -> None:
    young = [ScriptedContainer(f"{number:064x}", age=timedelta(minutes=5)) for number in range(1000, 2000)]
    engine = ScriptedEngine([*leaks(4), *young])
    with engine.serve(workdir.socket) as url:
        words = [sys.executable, "-m", "fleetsweep", *workdir.sweep(url)]
        done = subprocess.run(
            ["sh", "-c", '"$@" | head -1', "sh", *words], check=False, capture_output=True, text=True, timeout=60
        )
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
    assert_journal_is_whole(workdir, engine)
    assert len(intents(workdir.state)) == 4


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", ">/dev/full", ">/dev/full 2>/dev/full"])
def test_output_that_cannot_be_written_costs_neither_the_journal_nor_a_traceback(
    workdir: Workdir, redirection: str
) -> None:
    engine = ScriptedEngine(leaks(2))
    with engine.serve(workdir.socket) as url:
        words = [sys.executable, "-m", "fleetsweep", *workdir.sweep(url)]
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {redirection}', "sh", *words],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert "Traceback" not in done.stderr
    assert done.returncode != 1
    # Whoever asked for a report that is nowhere must hear of it.
    assert (done.returncode == 0) is (redirection in {">&-", "2>&-", ">&- 2>&-"})
    assert_journal_is_whole(workdir, engine)
    assert ended_runs(workdir) == [done.returncode]


def ended_runs(workdir: Workdir) -> list[int | None]:
    """The exit codes that the journal has."""
    with closing(sqlite3.connect(workdir.state / "journal.db")) as database:
        return [code for (code,) in database.execute("SELECT exit_code FROM run")]


def test_a_terminal_that_hangs_up_in_the_middle_stops_the_sweep_with_a_whole_journal(
    workdir: Workdir, gate: Gate
) -> None:
    engine = gated(gate)
    master, slave = pty.openpty()
    with engine.serve(workdir.socket) as url:
        # The terminal is the session's own, as a login's is: its end is a SIGHUP.
        words = ["setsid", "--ctty", sys.executable, "-m", "fleetsweep", *workdir.sweep(url)]
        child = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        try:
            gate.await_held(IN_FLIGHT)
            os.close(master)
            wait_for(lambda: not child_has_terminal(child.pid), "the hang-up being noticed")
            gate.release()
            assert child.wait(60) == 129
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    assert_journal_is_whole(workdir, engine)
    assert IN_FLIGHT <= len(deletes(engine)) < 10
    assert ended_runs(workdir) == [129]


def child_has_terminal(pid: int) -> bool:
    """Whether a process has a controlling terminal."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[4] != "0"


def assert_journal_is_whole(workdir: Workdir, engine: ScriptedEngine) -> None:
    written = intents(workdir.state)
    assert sorted(row["container_id"] for row in written) == sorted(deletes(engine))
    assert {row["outcome"] for row in written} == {"removed"}
    assert not {row["container_id"] for row in written} & set(engine.containers)


@pytest.mark.parametrize("stdin", ["<&-", "</dev/null", "<<<no", "|yes"])
def test_without_a_terminal_nothing_on_stdin_is_ever_a_yes(workdir: Workdir, stdin: str) -> None:
    engine = ScriptedEngine(leaks(1))
    with engine.serve(workdir.socket) as url:
        words = [sys.executable, "-m", "fleetsweep", "sweep", *workdir.local(url)]
        script = {
            "<&-": 'exec "$@" <&-',
            "</dev/null": 'exec "$@" </dev/null',
            "<<<no": 'echo no | "$@"',
            "|yes": 'yes | "$@"',
        }[stdin]
        done = subprocess.run(
            ["sh", "-c", script, "sh", *words], check=False, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 2, done.stderr
    assert "--yes" in done.stderr
    assert "Traceback" not in done.stderr
    assert engine.requests == []


@pytest.mark.parametrize("typed", ["\x04", "yess\n", "ye\n", "1\n"])
def test_only_y_or_yes_is_a_yes(workdir: Workdir, typed: str) -> None:
    engine = ScriptedEngine(leaks(2))
    with engine.serve(workdir.socket) as url, terminal(["sweep", *workdir.local(url)]) as asked:
        assert asked.answer(typed) == 0
    assert deletes(engine) == []
    assert intents(workdir.state) == []


@pytest.mark.parametrize(("words", "shown"), [([], False), (["-v"], True)])
def test_the_question_has_counts_and_names_ten_containers_or_on_request_all(
    workdir: Workdir, words: list[str], shown: bool
) -> None:
    engine = ScriptedEngine(leaks(12))
    with engine.serve(workdir.socket) as url, terminal(["sweep", *workdir.local(url), *words]) as asked:
        assert asked.answer("y\n") == 0
        before, _, question = asked.seen.partition("[y/N]")[0].rpartition("\n")
    assert "12 containers" in question
    assert "1 host" in question
    assert ": 12 of 12 containers" in before
    assert "ws-9 " in before
    assert ("ws-11 " in before) is shown
    assert len(deletes(engine)) == 12


def test_a_signal_at_the_question_is_a_no(workdir: Workdir) -> None:
    engine = ScriptedEngine(leaks(2))
    with engine.serve(workdir.socket) as url, terminal(["sweep", *workdir.local(url)]) as asked:
        wait_for(lambda: "[y/N]" in asked.seen, "the question")
        asked.child.send_signal(signal.SIGTERM)
        output, _ = asked.child.communicate(timeout=60)
    assert asked.child.returncode == 143
    assert output
    assert deletes(engine) == []
