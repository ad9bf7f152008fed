"""Signals and the end of a run with worker processes, on one scripted engine."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.lab.fleetsweep_process import FleetsweepProcess, intents
from tests.lab.process import is_running, wait_for
from tests.lab.request_gate import Gate
from tests.lab.scripted_engine import ScriptedEngine
from tests.lab.sshd_fleet import children
from tests.lab.workdir import Workdir, deletes, leaks

IN_FLIGHT = 4
LEAKS = 30


@pytest.fixture
def gated(gate: Gate) -> ScriptedEngine:
    """An engine that holds back each removal."""
    engine = ScriptedEngine(leaks(LEAKS))
    engine.on("^DELETE", gate)
    return engine


def worker_of(child: FleetsweepProcess) -> int:
    """Return the pid of a run's one worker process."""
    (pid,) = [pid for pid in children(child.pid) if b"process_worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return pid


def test_a_signal_lets_removals_in_flight_finish_and_every_intent_has_its_outcome(
    workdir: Workdir, gate: Gate, gated: ScriptedEngine
) -> None:
    with gated.serve(workdir.socket) as url, FleetsweepProcess(workdir.sweep(url, "--processes", "1")) as child:
        gate.await_held(IN_FLIGHT)
        child.signal(signal.SIGTERM)
        gate.release()
        assert child.finish() == 128 + signal.SIGTERM
        report = child.report()
        assert "Traceback" not in child.stderr
    (row,) = report["hosts"]
    removed = {item["id"] for item in row["decisions"] if item["outcome"] == "removed"}
    assert len(removed) >= IN_FLIGHT
    assert removed == set(deletes(gated))
    assert report["totals"]["unknown"] == 0
    written = {item["container_id"]: item["outcome"] for item in intents(workdir.state)}
    assert len(written) == LEAKS
    assert written == {one: "removed" if one in removed else "failed" for one in written}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_worker_ends_with_its_controller_however_that_ends(
    workdir: Workdir, gate: Gate, gated: ScriptedEngine, number: signal.Signals
) -> None:
    with gated.serve(workdir.socket) as url, FleetsweepProcess(workdir.sweep(url, "--processes", "1")) as child:
        gate.await_held(IN_FLIGHT)
        worker = worker_of(child)
        child.signal(number)
        child.signal(number)
        child.finish(10)
        wait_for(lambda: not is_running(worker), "the worker's end", 10)
        asked = len(deletes(gated))
        gate.release()
    assert asked == IN_FLIGHT
    # Two signals that arrive together are one: then the run ends in good time and records what it does not know.
    assert {item["outcome"] for item in intents(workdir.state)} <= {None, "unknown"}
