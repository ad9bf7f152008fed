"""The rows of a run's hosts, written while it goes on or when it ends."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from fleetsweep.model.decision import Guard, GuardName
from fleetsweep.model.host import Host
from fleetsweep.model.report import FleetReport, HostReport
from fleetsweep.store.journal import Journal
from fleetsweep.store.journal.rows import ERROR_LIMIT, GROUPS_LIMIT, guard_statement, row_statements
from tests.report.build import candidates, duplicate, guarded, lost, report, surveyed

CAP = Guard(GuardName.FLEET_CAP, "5 candidates are more than the fleet cap of 1", 1, 5)
A = surveyed("a", candidates("ws", 2), others=3)
KINDS = (A, surveyed("b", others=2), lost("c"), guarded("d", candidates("x", 1)), duplicate("e", of=A))
COMMANDS = ("audit", "sweep", "teardown")
Recorded = tuple[FleetReport, list[HostReport], bool]
"""A run's report, its rows that were recorded early, and whether it ended."""
TABLES = ("host", "counter", "last_match", "host_groups")


def written(runs: list[Recorded]) -> dict[str, list[tuple[object, ...]]]:
    """The tables after these runs."""
    with tempfile.TemporaryDirectory() as name:
        state = Path(name) / "state"
        for number, (made, early, ended) in enumerate(runs):
            with Journal(state, f"run-{number}", made.command, clock=lambda: 1) as journal:
                for row in early:
                    journal.record_host(row, looked=True)
                if ended:
                    journal.finish(made, looked=True)
        with closing(sqlite3.connect(state / "journal.db")) as database:
            return {each: database.execute(f"SELECT * FROM {each} ORDER BY 1, 2").fetchall() for each in TABLES}  # noqa: S608


@settings(max_examples=12)
@given(st.data())
def test_rows_that_were_recorded_early_leave_the_same_journal_once_their_run_ended(data: st.DataObject) -> None:
    at_the_end: list[Recorded] = []
    early: list[Recorded] = []
    killed: list[Recorded] = []
    for _ in range(data.draw(st.integers(1, 2))):
        rows = data.draw(st.lists(st.sampled_from(KINDS), unique_by=lambda row: row.host.name))
        command, guard = data.draw(st.sampled_from(COMMANDS)), data.draw(st.sampled_from((None, CAP)))
        made = replace(report(*rows, command=command), hosts=(*rows,), guard=guard)
        some = data.draw(st.permutations(rows))[: data.draw(st.integers(0, len(rows)))]
        at_the_end.append((made, [], True))
        early.append((made, some, True))
        killed.append((made, some, False))
    assert written(early) == written(at_the_end)
    tables = written(killed)
    # The rows of runs that did not end are there, and count nowhere.
    assert len(tables["host"]) == sum(len(some) for _, some, _ in killed)
    assert tables["counter"] == tables["last_match"] == []


def test_texts_are_bounded_and_the_fleets_guard_hides_no_hosts_own() -> None:
    row = lost("c")
    assert row.fault is not None
    long = replace(
        row, host=Host("c", "c", groups=("g" * 9000,)), fault=replace(row.fault, message="x" * (ERROR_LIMIT + 1))
    )
    (_, values), (_, groups) = row_statements("run", long, looked=True)
    assert values[5] == "x" * ERROR_LIMIT
    assert len(str(groups[1])) == GROUPS_LIMIT
    assert len([*row_statements("run", row, looked=True)]) == 1
    statement, values = guard_statement("run", CAP)
    assert "coalesce(guard, ?)" in statement
    assert values == ("fleet-cap", CAP.message, "run")
