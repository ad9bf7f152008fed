"""Every format, on reports full of hostile text from a box."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetsweep.model.outcome import Outcome
from fleetsweep.model.report import FleetReport
from fleetsweep.report import FORMATS, render
from fleetsweep.report.cells import NAME_LIMIT
from fleetsweep.report.csv_report import COLUMNS
from fleetsweep.report.escape import csv_cell, printable, well_formed
from fleetsweep.report.problems import owner, shared_faults
from tests.report.build import candidates, lost, report, surveyed
from tests.report.hostile import NASTY, reports

MEGABYTE = "\x1b]52;c;" + "A" * 1_000_000

many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def names(made: FleetReport) -> list[str]:
    return [host.host.name for host in made.hosts]


def strings(value: object) -> Iterator[str]:
    """Every string in a parsed JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


@many
@given(reports, st.sampled_from(list(FORMATS)), st.booleans())
def test_no_format_lets_a_control_character_through(made: FleetReport, name: str, verbose: bool) -> None:
    text = render(made, name, verbose=verbose)
    text.encode("utf-8")
    assert text.replace("\n", "").isprintable()
    if name in ("json", "jsonl"):
        assert text.isascii()


@many
@given(reports)
def test_colour_is_the_only_control_that_a_table_has(made: FleetReport) -> None:
    text = render(made, "table", color=True)
    codes = re.findall(r"\x1b\[\d+m", text)
    assert len(codes) == 2 * len(made.hosts)
    assert re.sub(r"\x1b\[\d+m", "", text) == render(made, "table")


@many
@given(reports)
def test_json_parses_back_with_every_host_once_and_in_order(made: FleetReport) -> None:
    whole = json.loads(render(made, "json"), parse_constant=pytest.fail)
    assert [host["host"] for host in whole["hosts"]] == [well_formed(name) for name in names(made)]
    for count, value in whole["totals"].items():
        if count in whole["hosts"][0]:
            assert value == sum(host[count] for host in whole["hosts"]), count
    for host in whole["hosts"]:
        assert len(host["decisions"]) == host["matched"]
        assert sum(d["verdict"] == "remove" for d in host["decisions"]) == host["stale"]
    for text in strings(whole):
        text.encode("utf-8")


@many
@given(reports)
def test_jsonl_parses_back_one_host_a_line(made: FleetReport) -> None:
    *hosts, head = [json.loads(line, parse_constant=pytest.fail) for line in render(made, "jsonl").splitlines()]
    assert [host["host"] for host in hosts] == [well_formed(name) for name in names(made)]
    assert head["totals"]["hosts"] == len(hosts)


@many
@given(reports)
def test_csv_parses_back_one_host_a_row(made: FleetReport) -> None:
    text = render(made, "csv")
    header, *body = csv.reader(io.StringIO(text), strict=True)
    assert header == list(COLUMNS)
    assert [row[0] for row in body] == [csv_cell(name) for name in names(made)]
    assert {len(row) for row in body} == {len(COLUMNS)}
    assert len(text.splitlines()) == 1 + len(body)


@many
@given(reports)
def test_the_table_has_every_host_once_and_in_order(made: FleetReport) -> None:
    lines = render(made, "table").split("\n\n")[0].splitlines()
    body = lines[2:-2]
    assert len(body) == len(made.hosts)
    for line, name in zip(body, names(made), strict=True):
        assert line.strip().startswith(printable(name, NAME_LIMIT).strip())


@many
@given(reports, st.booleans())
def test_no_markdown_row_has_a_cell_too_many(made: FleetReport, verbose: bool) -> None:
    lines = render(made, "markdown", verbose=verbose).splitlines()
    table = [line for line in lines if line.startswith("|")]
    unescaped = re.compile(r"(?<!\\)(?:\\\\)*\|")
    assert {len(unescaped.findall(line)) for line in table} == {11}
    first = lines[2 : [*lines, ""].index("", 2)]
    assert len(first) == 2 + len(made.hosts) + 1
    assert "<" not in "".join(lines)


@many
@given(reports)
def test_no_line_of_a_problem_begins_with_text_from_a_box(made: FleetReport) -> None:
    _, _, lines = render(made, "table").partition("\n\n")
    alone = [printable(name, NAME_LIMIT) for name in ("fleet", *names(made))]
    together = [owner(fault.hosts, alike=fault.alike) for fault in shared_faults(made)]
    starts = tuple(f"{name}: " for name in (*alone, *together))
    assert all(line.startswith(starts) for line in lines.splitlines())


@pytest.mark.parametrize("name", FORMATS)
def test_a_megabyte_in_every_place_is_cut_wherever_a_person_reads(name: str) -> None:
    swept = surveyed("a", candidates(MEGABYTE, 3), outcome=Outcome.FAILED, error=MEGABYTE)
    text = render(report(swept, lost("b", message=MEGABYTE, remedy=MEGABYTE)), name, verbose=True)
    if name not in ("json", "jsonl"):
        assert len(text) < 20_000
    assert "\x1b" not in text


@pytest.mark.parametrize("text", NASTY)
def test_json_keeps_text_from_a_box(text: str) -> None:
    made = report(surveyed("a", candidates(text, 1), outcome=Outcome.FAILED, error=text))
    (shown,) = json.loads(render(made, "json"))["hosts"][0]["decisions"]
    assert shown["name"] == well_formed(f"{text}-0")
    assert shown["error"] == well_formed(text)
