"""A simulated fleet of 200 boxes, by each way to spread the work: the same rows, and no removal twice."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.lab.process import wait_for
from tests.lab.simulated_boxes import SimulatedBox, Trouble
from tests.lab.simulated_fleet import SimulatedFleet, simulated_fleet
from tests.lab.sshd_fleet import children

pytestmark = pytest.mark.lab

BOXES = 200
KILLS = int(os.environ.get("FLEETSWEEP_KILLS", "2"))
"""How many runs lose a worker at a random moment."""

TIMES = {
    "run_id",
    "started_at",
    "finished_at",
    "duration_s",
    "clock_skew_s",
    "age_s",
    "created_age_s",
    "oldest_s",
    "found",
}

STATUSES = {
    Trouble.NONE: "ok",
    Trouble.REFUSED: "unreachable",
    Trouble.ERROR: "failed",
    Trouble.GARBAGE: "failed",
    Trouble.SKEWED: "guarded",
}


@pytest.fixture(scope="module")
def fleet() -> Iterator[SimulatedFleet]:
    """A fleet with each kind of trouble in it."""
    with simulated_fleet(BOXES, seed=10) as found:
        assert {box.trouble for box in found.boxes} == set(Trouble)
        yield found


def expected(box: SimulatedBox) -> str:
    """Return the status of a box after a sweep."""
    if box.trouble is Trouble.BUSY:
        return "failed" if box.leaks else "ok"
    return STATUSES[box.trouble]


def timeless(report: str) -> str:
    """Return a JSON report without its times."""

    def without(value: object) -> object:
        if isinstance(value, dict):
            return {key: without(item) for key, item in value.items() if key not in TIMES}
        return [without(item) for item in value] if isinstance(value, list) else value

    return re.sub(r"\d+ s ahead", "some s ahead", json.dumps(without(json.loads(report))))


def test_processes_report_what_threads_report(fleet: SimulatedFleet, run: Run) -> None:
    alone, shared = (run("audit", *fleet.options(), "--format", "json", *words) for words in ((), ("--processes", "2")))
    assert (shared.returncode, timeless(shared.stdout)) == (alone.returncode, timeless(alone.stdout))


def test_a_sweep_finds_what_the_simulated_boxes_are(fleet: SimulatedFleet, run: Run) -> None:
    done = run("sweep", *fleet.options(), "--yes", "--format", "json", "--processes", "2")
    rows = json.loads(done.stdout)["hosts"]
    assert [(row["host"], row["status"]) for row in rows] == [(box.name, expected(box)) for box in fleet.boxes]
    leaks = {box.name: box.leaks for box in fleet.boxes if box.trouble is Trouble.NONE}
    assert {row["host"]: row["removed"] for row in rows if row["host"] in leaks} == leaks
    assert set(fleet.deletes().values()) == {1}


def intents(fleet: SimulatedFleet) -> list[tuple[str, str | None, str | None]]:
    """Return the container, the outcome and what it was settled as of every intent in the journal."""
    with sqlite3.connect(fleet.directory / "state" / "journal.db") as database:
        return database.execute("SELECT container_id, outcome, settled FROM intent").fetchall()


def workers(pid: int) -> list[int]:
    """Return the pids of a controller's worker processes."""
    return [child for child in children(pid) if b"process_worker" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.mark.parametrize("number", range(KILLS))
def test_a_worker_that_is_killed_at_any_moment_costs_no_second_removal(number: int, run: Run) -> None:
    dice = random.Random(number)  # noqa: S311 - not a secret
    with simulated_fleet(30, seed=3) as fleet:
        leaks = sum(box.leaks for box in fleet.boxes if box.trouble is Trouble.NONE)
        words = ["sweep", *fleet.options(), "--yes", "--format", "json"]
        child = subprocess.Popen(
            [sys.executable, "-m", "fleetsweep", *words, "--processes", "2"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        # Two of five are killed after a removal ended, the others some time after they started.
        after = dice.randrange(1, leaks) if number % 5 < 2 else 0
        wait_for(lambda: bool(workers(child.pid)) and sum(fleet.deletes().values()) >= after, "the moment")
        if not after:
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(dice.uniform(0.2, 1.0))
        pids = workers(child.pid)
        if pids:
            os.kill(dice.choice(pids), signal.SIGKILL)
        report, _ = child.communicate(timeout=60)
        assert len(json.loads(report)["hosts"]) == len(fleet.boxes)
        assert all(outcome is not None and settled is None for _, outcome, settled in intents(fleet))
        again = run(*words)
        totals = json.loads(again.stdout)["totals"]
        assert (totals["unknown"], totals["failed_removals"]) == (0, 0)
        assert len(fleet.deletes()) == sum(fleet.deletes().values()) == leaks
        for one, outcome, settled in intents(fleet):
            assert settled in ({"gone", "still-there"} if outcome == "unknown" else {None}), one
