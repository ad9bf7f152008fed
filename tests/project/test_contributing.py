"""CONTRIBUTING.md: its examples use what exists, and links in every document lead somewhere."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
OLD_WORDS = r"\b(?:[Tt]ells?|[Tt]old|[Nn]obody|[Ww]hoever|[Ss]omebody|[Ee]verybody|[Bb]esides|comes to)\b"


def test_there_is_an_example_for_a_scripted_engine_and_one_for_the_lab() -> None:
    assert ["ScriptedEngine" in example for example in EXAMPLES] == [True, False]
    assert "pytest.mark.lab" in EXAMPLES[1]


@pytest.mark.parametrize("example", EXAMPLES, ids=["scripted", "lab"])
def test_each_name_that_an_example_imports_exists(example: str) -> None:
    imports = [node for node in ast.walk(ast.parse(example)) if isinstance(node, ast.ImportFrom)]
    assert imports
    for node in imports:
        assert node.module is not None
        module = importlib.import_module(node.module)
        assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


def test_each_target_of_make_that_the_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)`", PAGE)) <= targets


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_no_document_uses_a_word_that_the_word_list_replaces(page: Path) -> None:
    assert re.findall(OLD_WORDS, page.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_to_a_file_leads_to_one(page: Path) -> None:
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text())]
    assert [link for link in links if "://" not in link and link and not (page.parent / link).exists()] == []
