"""The JSON report holds its schema, and the schema is as strict as the report is."""

from __future__ import annotations

from enum import StrEnum

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from fleetsweep.errors import Phase
from fleetsweep.model.decision import AgeFrom, GuardName, Reason, Selector, Verdict
from fleetsweep.model.intent import SettledAs
from fleetsweep.model.outcome import Outcome
from fleetsweep.model.report import FleetReport, WarningKind
from fleetsweep.model.run_scope import ResourceKind
from fleetsweep.model.survey import Status
from fleetsweep.report import render
from tests.report.build import fleet
from tests.report.hostile import reports
from tests.report.schema import SCHEMA, errors


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_a_report_of_each_status_holds_it() -> None:
    assert errors(render(fleet(), "json")) == []


@settings(max_examples=50)
@given(reports)
def test_a_report_of_hostile_boxes_holds_it(report: FleetReport) -> None:
    assert errors(render(report, "json")) == []


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (SCHEMA["$defs"]["host"]["properties"]["status"], Status),
        (SCHEMA["$defs"]["guard"]["oneOf"][1]["properties"]["name"], GuardName),
        (SCHEMA["$defs"]["fault"]["oneOf"][1]["properties"]["phase"], Phase),
        (SCHEMA["$defs"]["decision"]["properties"]["verdict"], Verdict),
        (SCHEMA["$defs"]["decision"]["properties"]["reason"], Reason),
        (SCHEMA["$defs"]["decision"]["properties"]["matched_by"]["items"], Selector),
        (SCHEMA["$defs"]["decision"]["properties"]["age_from"], AgeFrom),
        (SCHEMA["$defs"]["outcome"], Outcome),
        (SCHEMA["$defs"]["settlement"]["properties"]["outcome"], SettledAs),
        (SCHEMA["$defs"]["warning"]["properties"]["kind"], WarningKind),
        (SCHEMA["$defs"]["resource"]["properties"]["kind"], ResourceKind),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_words_list_is_the_programs(where: dict[str, list[str | None]], words: type[StrEnum]) -> None:
    assert {word for word in where["enum"] if word is not None} == set(words)
