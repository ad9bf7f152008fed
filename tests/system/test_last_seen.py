"""Hosts that no run has surveyed for too long, according to the journal."""

from __future__ import annotations

import contextlib
import json
import sqlite3

import pytest

from tests.conftest import Run
from tests.lab.scripted_engine import Response, ScriptedEngine
from tests.lab.workdir import Workdir


def audit(workdir: Workdir, run: Run, url: str, style: str = "json") -> tuple[int, str]:
    done = run("audit", *workdir.local(url), "--max-silence", "26h", "--format", style)
    return done.returncode, done.stdout


def failing() -> ScriptedEngine:
    engine = ScriptedEngine([])
    engine.on(".", lambda _: Response(500, {"message": "no"}))
    return engine


def grow_older(workdir: Workdir, hours: float) -> None:
    with contextlib.closing(sqlite3.connect(workdir.state / "journal.db")) as journal, journal:
        journal.execute("UPDATE run SET started_ns = started_ns - ?", (int(hours * 3600 * 10**9),))


@pytest.mark.parametrize(("hours", "silent"), [(25, False), (27, True), (-2, True)])
def test_a_host_that_fails_now_is_silent_once_its_last_good_look_is_too_old(
    workdir: Workdir, run: Run, hours: float, silent: bool
) -> None:
    with ScriptedEngine([]).serve(workdir.socket) as url:
        assert audit(workdir, run, url)[0] == 0
    grow_older(workdir, hours)
    workdir.socket.unlink()
    with failing().serve(workdir.socket) as url:
        code, text = audit(workdir, run, url)
        _, table = audit(workdir, run, url, "table")
    (row,) = json.loads(text)["hosts"]
    assert code == 3
    assert (row["silent_since"] is not None) is silent
    assert ("silent: the last run that surveyed it began at" in table) is silent


def test_looks_that_failed_are_no_looks(workdir: Workdir, run: Run) -> None:
    with failing().serve(workdir.socket) as url:
        for _ in range(3):
            code, text = audit(workdir, run, url)
    (row,) = json.loads(text)["hosts"]
    assert (code, row["silent_since"]) == (3, "ever")


def test_a_host_that_answers_now_is_not_silent_however_long_it_was(workdir: Workdir, run: Run) -> None:
    with ScriptedEngine([]).serve(workdir.socket) as url:
        audit(workdir, run, url)
        grow_older(workdir, 500)
        code, text = audit(workdir, run, url)
    assert (code, json.loads(text)["hosts"][0]["silent_since"]) == (0, None)


def test_without_a_readable_journal_no_host_is_contacted(workdir: Workdir, run: Run) -> None:
    workdir.state.mkdir(mode=0o700)
    (workdir.state / "journal.db").write_text("no database")
    engine = ScriptedEngine([])
    with engine.serve(workdir.socket) as url:
        assert audit(workdir, run, url)[0] == 2
    assert engine.requests == []
