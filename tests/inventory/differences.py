"""The deliberate differences from Ansible, as docs/inventory.md tells an operator of them."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "inventory.md"


def named_in_docs() -> frozenset[str]:
    """The ids in the one table of differences; each stands there once."""
    section = PAGE.read_text(encoding="utf-8").split("## Differences from Ansible", 1)[1].split("\n## ", 1)[0]
    ids = re.findall(r"^\| `([a-z0-9-]+)` \|", section, re.MULTILINE)
    assert len(ids) == len(set(ids)), "an id stands in the table twice"
    return frozenset(ids)
