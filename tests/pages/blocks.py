"""The commands on a page."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


def blocks(page: str, heading: str = "") -> list[str]:
    """Return the blocks of shell commands on a page, or below one of its headings. Raises ValueError without any."""
    text = (ROOT / page).read_text()
    if heading:
        found = re.search(rf"^(#+) {re.escape(heading)}$\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
        text = found[2] if found else ""
    commands = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    if not commands:
        raise ValueError(f"{page} has no commands below {heading!r}")
    return commands


def indented(page: str) -> list[str]:
    """Return the indented blocks of a page, those of lists too, without their indentation."""
    found = re.findall(r"(?<=\n\n)((?: {4,}\S.*\n|\n(?= {4,}\S))+)", (ROOT / page).read_text())
    return [textwrap.dedent(block) for block in found]


def table(page: str, heading: str) -> dict[str, list[str]]:
    """Return the commands in the cells of the first table below a heading, by the first cell of their row."""
    text = (ROOT / page).read_text()
    part = text[text.index(f"## {heading}\n") :]
    rows = re.findall(r"^\| (\w+) \|(.*)\|$", part[: part.index("\n## ")], re.MULTILINE)
    return {name: re.findall(r"`([^`]+)`", cells) for name, cells in rows if "`" in cells}
