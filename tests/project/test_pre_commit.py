"""The pre-commit hooks run the commands of ``make check``, so that a commit and CI accept the same code."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def hooks() -> list[dict[str, object]]:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    return [hook for repo in config["repos"] for hook in repo["hooks"]]


def commands_of_make_check() -> list[str]:
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    return [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()]


def test_the_hooks_run_the_commands_of_make_check_in_the_same_order() -> None:
    assert [hook["entry"] for hook in hooks()] == commands_of_make_check()


def test_the_hooks_check_the_whole_tree_with_the_installed_tools() -> None:
    for hook in hooks():
        # Types and the import rule depend on files that a commit does not touch.
        assert hook["pass_filenames"] is False
        assert hook["language"] == "system"


def test_no_hook_downloads_code() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert {repo["repo"] for repo in config["repos"]} == {"local"}
