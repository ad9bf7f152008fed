"""A simulated fleet of 200 boxes, by each way to spread the work: the same rows, and no removal twice."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.lab.certificates import Authority
from tests.lab.dask_lab import open_dask
from tests.lab.process import wait_for
from tests.lab.simulated_boxes import ZONES, SimulatedBox, Trouble
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

    return re.sub(r"clock is [^,]+ ahead", "clock is some time ahead", json.dumps(without(json.loads(report))))


@pytest.fixture(scope="module")
def scheduler() -> Iterator[list[str]]:
    """The options for a Dask cluster with TLS whose workers are in the fleet's two zones."""
    with tempfile.TemporaryDirectory() as name:
        authority = Authority.make(Path(name))
        certificate, key = authority.sign("cluster", address="127.0.0.1")
        mine, my_key = authority.sign("controller")
        with open_dask({"ca": authority.certificate, "cert": certificate, "key": key}) as lab:
            for zone in ZONES:
                lab.worker(zone)
            lab.await_workers()
            files = {"ca": authority.certificate, "cert": mine, "key": my_key}
            yield ["--scheduler", lab.url, *(f"--scheduler-tls-{name}={path}" for name, path in files.items())]


def test_threads_processes_and_zones_make_the_same_report(
    fleet: SimulatedFleet, scheduler: list[str], run: Run, tmp_path: Path
) -> None:
    options = ["audit", *fleet.options(zones=True), "--format", "json"]
    # Each has a journal of its own: a guard that trips in run after run is a warning.
    threads, processes, zones = (
        run(*options, *words, "--state-dir", str(tmp_path / f"state-{number}"))
        for number, words in enumerate(((), ("--processes", "2"), scheduler))
    )
    assert (threads.returncode, threads.stderr) == (4, "")
    for other in (processes, zones):
        assert (other.returncode, other.stderr) == (4, "")
        assert timeless(other.stdout) == timeless(threads.stdout)


def test_without_a_certificate_of_ours_no_host_is_contacted(
    fleet: SimulatedFleet, scheduler: list[str], run: Run
) -> None:
    words = [scheduler[0], scheduler[1].replace("tls://", "")]
    done = run("audit", *fleet.options(zones=True), *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "can't be reached" in done.stderr or "no TLS" in done.stderr
    done = run("audit", *fleet.options(zones=True), *scheduler[:3])
    assert done.returncode == 2
    assert "give --scheduler-tls-cert, --scheduler-tls-key" in done.stderr


def test_a_host_without_a_zone_is_an_error_of_usage(fleet: SimulatedFleet, run: Run) -> None:
    done = run("audit", *fleet.options(), "--scheduler", "127.0.0.1")
    assert done.returncode == 2
    assert "--scheduler: box-00000 and 199 more: no fleetsweep_zone" in done.stderr


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
    with simulated_fleet(12, seed=3) as fleet:
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
            # On a fast machine the run may have ended by then.
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(dice.uniform(0.0, 0.8))
        pids = workers(child.pid) if child.poll() is None else []
        if pids:
            os.kill(dice.choice(pids), signal.SIGKILL)
        print("killed" if pids else "ended before")
        report, _ = child.communicate(timeout=60)
        assert len(json.loads(report)["hosts"]) == len(fleet.boxes)
        assert all(outcome is not None and settled is None for _, outcome, settled in intents(fleet))
        again = run(*words)
        totals = json.loads(again.stdout)["totals"]
        assert (totals["unknown"], totals["failed_removals"]) == (0, 0)
        assert len(fleet.deletes()) == sum(fleet.deletes().values()) == leaks
        for one, outcome, settled in intents(fleet):
            assert settled in ({"gone", "still-there"} if outcome == "unknown" else {None}), one
