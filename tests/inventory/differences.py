"""The ids of the deliberate differences from Ansible in docs/inventory.md."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "inventory.md"


def named_in_docs() -> frozenset[str]:
    """Return the ids in the table of differences. Each occurs once."""
    section = PAGE.read_text(encoding="utf-8").split("## Differences from Ansible", 1)[1].split("\n## ", 1)[0]
    ids = re.findall(r"^\| `([a-z0-9-]+)` \|", section, re.MULTILINE)
    assert len(ids) == len(set(ids)), "an id occurs twice in the table"
    return frozenset(ids)
