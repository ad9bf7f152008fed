"""Removals with their reasons, and the report of a run, read from the journal."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fleetsweep.model.host import Host
from fleetsweep.model.outcome import Outcome, Removal
from fleetsweep.report.archive import compress, decompress
from fleetsweep.report.json_report import render_json
from fleetsweep.store.journal import Journal, record, report_parts
from fleetsweep.store.journal.removals import attributes_of_row
from tests.report.build import candidates, fleet
from tests.store.test_migrations import write


def test_a_removal_is_read_back_with_the_whole_verdict(tmp_path: Path) -> None:
    (decision,) = candidates("ws", 1)
    decision = replace(decision, attributes={"fleetsweep.owner": "ann"})
    with Journal(tmp_path / "state", "r", "sweep") as journal:
        log = journal.for_host(Host("a", "a"), "", (decision,))
        log.conclude(log.intend(decision.container), Removal(decision.container.id, Outcome.REMOVED))
    (removal,) = record(tmp_path / "state", "r").removals
    assert (removal.image, removal.reason, removal.age_s) == (decision.container.image, "stale", decision.age_s)
    assert (removal.age_from, removal.matched_by, removal.run) == ("started", ("name", "image"), "r")
    assert removal.attributes == {"fleetsweep.owner": "ann"}


def test_a_runs_report_is_read_back_whole(tmp_path: Path) -> None:
    report = fleet()
    with Journal(tmp_path / "state", report.run_id, "sweep") as journal:
        journal.finish(report, looked=True, documents=list(compress(report)))
    assert decompress(report_parts(tmp_path / "state", report.run_id)) == json.loads(render_json(report))
    assert report_parts(tmp_path / "state", "another") == ()


@pytest.mark.parametrize("version", [1, 2])
def test_a_journal_of_an_earlier_schema_has_removals_without_reasons_and_no_report(
    tmp_path: Path, version: int
) -> None:
    write(tmp_path, version)
    (removal,) = record(tmp_path, "old").removals
    assert (removal.name, removal.image, removal.reason, removal.attributes) == ("ws", None, None, {})
    assert report_parts(tmp_path, "old") == ()


def test_damaged_attributes_are_no_attributes() -> None:
    assert [attributes_of_row(text) for text in (None, "", "[1]", '{"a": ', '{"a": "b"}')] == [
        {},
        {},
        {},
        {},
        {"a": "b"},
    ]
