"""A journal that another clock dates, as the generator of journals does."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.generators.journal import DAY_S, END_NS, Shape, write_journal

SMALL = Shape(hosts=8, days=2, runs_a_day=6)


def test_a_generated_journal_is_dated_by_its_own_clock_and_counts_what_was_written(tmp_path: Path) -> None:
    written = write_journal(tmp_path / "state", SMALL)
    with closing(sqlite3.connect(tmp_path / "state" / "journal.db")) as journal:
        runs, first_ns, last_ns = journal.execute(
            "SELECT count(*), min(started_ns), max(started_ns) FROM run"
        ).fetchone()
        assert (runs, first_ns, last_ns) == (written.runs, written.first_ns, END_NS)
        assert last_ns - first_ns < 2 * DAY_S * 10**9
        counters = dict(journal.execute("SELECT name, sum(value) FROM counter GROUP BY name"))
        assert counters["leaks"] == written.leaks.total() > 0
        assert counters["removals"] == written.removed.total() > 0


def test_the_same_seed_writes_the_same_facts(tmp_path: Path) -> None:
    first, second = (write_journal(tmp_path / name, SMALL) for name in ("a", "b"))
    assert first == second
    assert write_journal(tmp_path / "c", Shape(seed=1, hosts=8, days=2, runs_a_day=6)) != first
