"""Runs that are killed at random moments: the journal opens, and every fact is in it once.

``KILLED_RUNS=200`` in the environment kills so many.
"""

from __future__ import annotations

import os
import random
import re
import sqlite3
from contextlib import closing
from datetime import timedelta

from tests.lab.forked_runs import ForkedRuns
from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir

RUNS = int(os.environ.get("KILLED_RUNS", "25"))
SEED = 15


class Leaking:
    """An engine on which stale containers with new ids turn up, and the ids of those that it removed."""

    def __init__(self) -> None:
        self.engine = ScriptedEngine([])
        self.engine.on("^DELETE /containers/([0-9a-f]+)", self._note)
        self.removed: list[str] = []
        self._made = 0

    def leak(self, count: int) -> None:
        """Add stale containers."""
        for _ in range(count):
            self._made += 1
            made = ScriptedContainer(f"{self._made:064x}", f"ws-{self._made}", age=timedelta(days=2))
            self.engine.containers[made.id] = made

    def _note(self, found: re.Match[str]) -> None:
        if found[1] in self.engine.containers:
            self.removed.append(found[1])


def test_killed_runs_leave_a_journal_in_which_each_fact_counts_once(workdir: Workdir) -> None:
    source = random.Random(SEED)  # noqa: S311 - no secret
    box = Leaking()
    with box.engine.serve(workdir.socket) as url, ForkedRuns() as runs:
        # Killed runs may leave more than the usual cap.
        words = workdir.sweep(url, "--cap", "10000")
        seconds = []
        for _ in range(3):
            box.leak(3)
            code, took_s = runs.run(words)
            assert code == 0
            seconds.append(took_s)
        killed = 0
        for number in range(4 * RUNS):
            if number >= RUNS and killed >= RUNS // 3:
                break
            box.leak(source.randrange(4))
            code, took_s = runs.run(words, source.uniform(0, 1.2 * sorted(seconds[-3:])[1]))
            killed += code == -9
            if code != -9:
                # How long a run takes changes with what else the machine does.
                seconds.append(took_s)
            with closing(sqlite3.connect(workdir.state / "journal.db")) as journal:
                assert journal.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        assert killed >= RUNS // 3
        for _ in range(2):
            assert runs.run(words)[0] == 0
    assert not box.engine.containers
    assert len(box.removed) == len(set(box.removed))
    check(workdir, box.removed)


def check(workdir: Workdir, removed: list[str]) -> None:
    """Compare the journal with what the engine removed, and its counters with its rows."""
    with closing(sqlite3.connect(workdir.state / "journal.db")) as journal:

        def rows(query: str) -> list[tuple[object, ...]]:
            return journal.execute(query).fetchall()

        assert rows("PRAGMA integrity_check") == [("ok",)]
        assert rows("PRAGMA foreign_key_check") == []
        assert rows("SELECT * FROM open_intent") == []
        outcomes = rows("SELECT DISTINCT outcome, settled FROM intent ORDER BY 1, 2")
        assert set(outcomes) <= {("removed", None), ("gone", None), ("unknown", "gone"), ("unknown", "still-there")}
        ended = rows("SELECT container_id FROM intent WHERE outcome = 'removed' OR settled = 'gone' ORDER BY 1")
        assert [container_id for (container_id,) in ended] == sorted(removed)
        counted = {str(name): value for name, value in rows("SELECT name, sum(value) FROM counter GROUP BY name")}
        assert counted["runs"] == rows("SELECT count(*) FROM run WHERE exit_code IS NOT NULL")[0][0]
        assert counted["removals"] == rows("SELECT count(*) FROM intent WHERE outcome = 'removed'")[0][0]
        assert counted["leaks"] == rows("SELECT count(*) FROM leak")[0][0]
        assert counted.get("guards", 0) == counted.get("failures", 0) == 0
        assert rows("SELECT count(*) FROM leak WHERE ended_ns IS NULL") == [(0,)]
        # A run's rows are written together with its report or not at all.
        assert rows(
            "SELECT count(*) FROM run WHERE exit_code IS NOT NULL AND id NOT IN (SELECT run FROM report_part)"
        ) == [(0,)]
