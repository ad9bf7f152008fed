"""Rows that are printed and recorded while a run goes on, and what a controller that is killed leaves of them."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from tests.lab.fleetsweep_process import FleetsweepProcess
from tests.lab.process import wait_for
from tests.lab.request_gate import Gate
from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir, deletes, leaks

SERVICE = ScriptedContainer("f" * 64, "postgres", image="postgres:16")


@pytest.fixture
def fleet(workdir: Workdir) -> Iterator[dict[str, ScriptedEngine]]:
    """Engines on this machine, one of them with leaks, and a host whose engine is not there."""
    engines = {"clean": ScriptedEngine([SERVICE]), "leaky": ScriptedEngine(leaks(2)), "empty": ScriptedEngine([])}
    lines = ["all:", "  vars: {ansible_connection: local}", "  hosts:"]
    with ExitStack() as stack:
        for name, engine in engines.items():
            engine.id = f"ID-{name}"
            url = stack.enter_context(engine.serve(workdir.directory / f"{name}.sock"))
            lines.append(f"    {name}: {{fleetsweep_engine: '{url}'}}")
        lines.append(f"    dead: {{fleetsweep_engine: 'unix://{workdir.directory}/none.sock'}}")
        (workdir.directory / "inventory.yml").write_text("\n".join(lines) + "\n")
        yield engines


def words(workdir: Workdir, command: str, *more: str) -> list[str]:
    return [command, "-i", str(workdir.directory / "inventory.yml"), "--state-dir", str(workdir.state), *more]


def lines(text: str) -> list[dict[str, Any]]:
    """The lines of a jsonl report that are complete."""
    return [json.loads(line) for line in text.split("\n")[:-1]]


def rows(state: Path) -> dict[str, str]:
    """The recorded rows: status by host."""
    if not (state / "journal.db").exists():
        return {}
    with closing(sqlite3.connect(state / "journal.db", timeout=10)) as database:
        return dict(database.execute("SELECT name, status FROM host").fetchall())


def test_an_audits_rows_are_printed_and_recorded_while_a_host_is_awaited_and_survive_a_kill(
    workdir: Workdir, fleet: dict[str, ScriptedEngine], gate: Gate, run: Run
) -> None:
    fleet["leaky"].on("GET /containers/json", gate)
    with FleetsweepProcess(words(workdir, "audit", "--format", "jsonl")) as audit:
        gate.await_held(1)
        wait_for(lambda: len(lines(audit.stdout)) == 3, "the rows of the other hosts")
        wait_for(lambda: len(rows(workdir.state)) == 3, "their rows in the journal")
        assert {row["host"]: row["status"] for row in lines(audit.stdout)} == rows(workdir.state)
        during = run("show", "--state-dir", str(workdir.state))
        audit.kill()
    assert rows(workdir.state) == {"clean": "ok", "empty": "ok", "dead": "unreachable"}
    shown = run("show", "--state-dir", str(workdir.state))
    assert shown.stdout == during.stdout
    assert "did not end: it is still running, or was killed. The hosts below were done by then" in shown.stdout
    (past,) = json.loads(run("history", "--format", "json", "--state-dir", str(workdir.state)).stdout)["runs"]
    assert (past["exit_code"], past["finished_at"], past["hosts"], past["ok"]) == (None, None, 3, 2)
    listed = run("history", "--state-dir", str(workdir.state)).stdout
    assert "not ended" in listed
    assert "ok" not in listed
    # It is no survey and no failure: the next run is the first that counts.
    gate.release()
    done = run(*words(workdir, "audit", "--limit", "dead", "--format", "json", "--max-silence", "1d"))
    assert json.loads(done.stdout)["hosts"][0]["silent_since"] == "ever"
    with closing(sqlite3.connect(workdir.state / "journal.db")) as database:
        assert database.execute("SELECT value FROM counter WHERE name = 'failures'").fetchall() == [(1,)]
        assert database.execute("SELECT count(*) FROM last_match").fetchall() == [(0,)]


def test_a_sweeps_row_is_printed_and_recorded_once_its_removals_are_proven(
    workdir: Workdir, fleet: dict[str, ScriptedEngine], gate: Gate, run: Run
) -> None:
    fleet["empty"].containers["e" * 64] = ScriptedContainer("e" * 64, "ws-held")
    fleet["empty"].on("^DELETE", gate)
    with FleetsweepProcess(words(workdir, "sweep", "--yes", "--format", "jsonl")) as sweep:
        gate.await_held(1)
        wait_for(lambda: len(lines(sweep.stdout)) == 3 and len(rows(workdir.state)) == 3, "the rows of the others")
        found = {row["host"]: row["removed"] for row in lines(sweep.stdout)}
        assert found == {"clean": 0, "leaky": 2, "dead": 0}
        sweep.kill()
    assert sorted(rows(workdir.state)) == ["clean", "dead", "leaky"]
    record = json.loads(run("show", "--format", "json", "--state-dir", str(workdir.state)).stdout)
    assert (record["run"]["exit_code"], record["run"]["removed"]) == (None, 2)
    gate.drop()
    again = run(*words(workdir, "sweep", "--yes", "--format", "jsonl"))
    *hosts, head = lines(again.stdout)
    assert {row["host"]: row["removed"] for row in hosts} == {"clean": 0, "leaky": 0, "empty": 1, "dead": 0}
    (settled,) = [row["settled"] for row in hosts if row["settled"]]
    assert settled[0]["outcome"] == "still-there"
    assert (head["totals"]["removed"], head["exit_code"], again.returncode) == (1, 3, 3)
    assert len(deletes(fleet["leaky"])) == 2


def test_a_reader_that_leaves_early_ends_neither_the_sweep_nor_its_record(
    workdir: Workdir, fleet: dict[str, ScriptedEngine]
) -> None:
    options = ["--yes", "--format", "jsonl", "--limit", "!dead"]
    child = subprocess.Popen(
        [sys.executable, "-m", "fleetsweep", *words(workdir, "sweep", *options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.close()
    assert child.stderr is not None
    assert child.stderr.read() == b""
    child.stderr.close()
    assert child.wait(60) == 0
    assert len(deletes(fleet["leaky"])) == 2
    assert len(rows(workdir.state)) == 3
