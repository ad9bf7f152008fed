"""The pages for trouble have every fault, guard and exit code, and words that the program prints."""

from __future__ import annotations

import re
from pathlib import Path

import fleetsweep
from fleetsweep.cli.help_text import exit_code_rows
from fleetsweep.errors import FaultKind
from fleetsweep.model.decision import GuardName

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
SOURCE = re.sub(
    # Adjacent literals are one message.
    r'"\s+f?"',
    "",
    "\n".join(path.read_text() for path in sorted(Path(fleetsweep.__file__).parent.rglob("*.py"))),
)


def rows(page: str, columns: int) -> list[list[str]]:
    cells = [re.split(r" \| ", line.strip("| ")) for line in page.splitlines() if line.startswith("| ")]
    return [row for row in cells if len(row) == columns and row[0] not in {"---", "kind", "guard", "message", "code"}]


def test_each_kind_of_fault_is_there_and_no_other() -> None:
    assert {row[0].strip("`") for row in rows(PAGE, 3)} == set(FaultKind)


def test_each_guard_is_there_and_no_other() -> None:
    part = PAGE[PAGE.index("## A guard tripped") : PAGE.index("## A removal failed")]
    assert {row[0].strip("`") for row in rows(part, 2)} == set(GuardName)


def test_the_program_prints_the_words_to_look_for() -> None:
    part = PAGE[PAGE.index("## Nothing was contacted") :]
    cells = [row[1] for row in rows(PAGE, 3)] + [row[0] for row in rows(part, 2)]
    words = [text for cell in cells for quoted in re.findall(r"`([^`]+)`", cell) for text in quoted.split("…")]
    assert len(words) > 50
    assert [text for text in words if text.strip() not in SOURCE] == []


def test_each_exit_code_has_its_meaning_and_what_to_do() -> None:
    page = (ROOT / "docs" / "exit-codes.md").read_text()
    found = {row[0]: row[1] for row in rows(page, 3) if row[2]}
    assert found == dict(exit_code_rows())
