"""docs/architecture.md names every room, and only files, types and layers that exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "fleetsweep"
PAGE = (ROOT / "docs" / "architecture.md").read_text()


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def rooms() -> list[str]:
    found = [path for path in PACKAGE.iterdir() if path.name not in {"__init__.py", "__pycache__", "py.typed"}]
    return sorted(path.stem for path in found)


def test_each_room_has_one_row_and_each_row_is_a_room() -> None:
    assert sorted(re.findall(r"^\| `(\w+)` \|", section("The rooms"), re.MULTILINE)) == rooms()


def test_each_file_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`([\w./]+\.(?:py|toml|md))`", PAGE))
    assert len(named) > 30
    missing = {name for name in named if not (PACKAGE / name).exists() and not (ROOT / name).exists()}
    assert missing == set(), "renamed? name the new path in docs/architecture.md"


def test_each_folder_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`([\w./]+)/`", PAGE))
    assert {name for name in named if not (PACKAGE / name).is_dir() and not (ROOT / name).is_dir()} == set()


def test_each_type_that_the_page_names_is_defined() -> None:
    code = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    named = set(re.findall(r"`([A-Z][A-Za-z]*[a-z][A-Za-z]*)`", PAGE)) - {"Date"}
    assert len(named) > 10
    assert {name for name in named if not re.search(rf"^(?:class {name}\b|{name}\b.*=)", code, re.MULTILINE)} == set()


def test_the_layers_are_those_that_import_linter_checks() -> None:
    shown = re.search(r"\n\n((?:    .+\n)+)", section("The import rule"))
    assert shown is not None
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert [line.strip() for line in shown[1].splitlines()] == layers


def test_a_new_policy_setting_touches_at_most_four_files() -> None:
    (row,) = re.findall(r"^\| a policy setting \| (.*)$", section("Where to change what"), re.MULTILINE)
    files = set(re.findall(r"`([\w/]+\.py)`|\]\(([\w/]+\.md)\)", row))
    assert 2 < len(files) <= 4
