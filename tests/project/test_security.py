"""SECURITY.md promises what tests hold."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text()


def test_each_test_that_a_promise_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    assert len(named) > 15
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (ROOT / file).is_file() or f"def {test}(" not in (ROOT / file).read_text()
    ]
    assert missing == [], "renamed? write the new name into SECURITY.md"


def test_each_promise_in_a_table_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| promise", "| ---"))]
    assert [row for row in rows if "::test_" not in row] == []


def test_no_module_opens_a_port_to_listen() -> None:
    opened = re.compile(r"\.listen\(|\.bind\(|create_server\(|socketserver|start_server\(|http\.server")
    found = [path.name for path in (ROOT / "fleetsweep").rglob("*.py") if opened.search(path.read_text())]
    assert found == []
