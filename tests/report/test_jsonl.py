"""JSON lines: the JSON report, one host a line."""

from __future__ import annotations

import json

from fleetsweep.report import render
from tests.report.build import fleet


def test_jsonl_is_the_json_report_in_lines() -> None:
    whole = json.loads(render(fleet(), "json"))
    *hosts, head = [json.loads(line) for line in render(fleet(), "jsonl").splitlines()]
    assert hosts == whole.pop("hosts")
    assert head == whole
    assert head["totals"]["hosts"] == len(hosts)
