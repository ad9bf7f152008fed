"""The journal grows with removals, not with the number of listed containers."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta

from tests.conftest import Run
from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir, leaks


def test_the_journal_has_counts_of_what_is_kept_and_the_decision_on_what_goes(run: Run, workdir: Workdir) -> None:
    young = [
        ScriptedContainer(f"{number:064x}", f"ws-{number}-{'x' * 200}", age=timedelta(minutes=1))
        for number in range(1000, 9000)
    ]
    with ScriptedEngine([*leaks(100), *young]).serve(workdir.socket) as url:
        done = run(*workdir.sweep(url))
    assert done.returncode == 0, done.stderr
    size = sum(path.stat().st_size for path in workdir.state.iterdir())
    assert size < 1024 * 1024
    with closing(sqlite3.connect(workdir.state / "journal.db")) as journal:
        ((text,),) = journal.execute("SELECT plan FROM run").fetchall()
    plan = json.loads(text)
    (host,) = plan["hosts"]
    assert host["containers"] == 8100
    assert host["others"] == {"young": 8000}
    assert {each["name"] for each in host["decisions"]} == {f"ws-{number}" for number in range(100)}
    first = host["decisions"][0]
    assert (first["reason"], first["verdict"], first["image"]) == ("stale", "remove", leaks(1)[0].image)
    assert plan["policies"][host["policy"]]["max_age_s"] == 7200
