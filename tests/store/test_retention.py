"""What a run deletes from the journal when it ends: old runs, ended holds and leaks, and the oldest documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetsweep.model.leak import Leak, LeaksSeen
from fleetsweep.model.report import FleetReport
from fleetsweep.store.journal import Journal, retention
from tests.store.test_writer import on_disk


def finish(state: Path, run_id: str, documents: list[bytes], forget_before_ns: int | None = None) -> None:
    leak = Leak(run_id * 64, "ws-1", "i", "stale", {}, 1, 1)
    with Journal(state, run_id, "audit") as journal:
        journal.finish(
            FleetReport(run_id, "audit", False, 0, int(run_id), 0, ()),
            looked=True,
            leaks={"a": LeaksSeen((leak,), {}, frozenset(), complete=True)},
            documents=documents,
            forget_before_ns=forget_before_ns,
        )


def test_reports_go_oldest_first_beyond_their_bytes_and_their_runs_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "REPORT_BYTES", 10)
    state = tmp_path / "state"
    for run_id in "123":
        finish(state, run_id, [b"head", run_id.encode()])
    left = on_disk(state, "SELECT run, part FROM report_part ORDER BY rowid")
    assert left == [("2", 0), ("2", 1), ("3", 0), ("3", 1)]
    finish(state, "4", [b"head", b"a longer document"])
    assert on_disk(state, "SELECT run, part FROM report_part") == []
    assert on_disk(state, "SELECT count(*) FROM run") == [(4,)]


def test_old_leaks_are_forgotten_with_the_runs(tmp_path: Path) -> None:
    state = tmp_path / "state"
    finish(state, "1", [])
    finish(state, "5", [])
    finish(state, "6", [b"head"], forget_before_ns=5)
    assert on_disk(state, "SELECT last_seen_ns FROM leak ORDER BY 1") == [(5,), (6,)]
