"""``make bench``: whole processes, side by side in one run, as medians and ratios.

``python -m tests.bench [--write] [SUBJECT...]`` runs some of the subjects, or all. ``--write`` puts the tables into
docs/performance.md, each between its own two markers.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import audits, inventory, removal

SUBJECTS: dict[str, Callable[[], str]] = {
    "fleet": audits.fleet,
    "one": audits.one,
    "latency": audits.latency,
    "scale": audits.scale,
    "inventory": inventory.run,
    "removal": removal.run,
}
PAGE = Path(__file__).parents[2] / "docs" / "performance.md"


def write(subject: str, told: str) -> None:
    """Put one subject's tables where the page has its markers."""
    page = PAGE.read_text()
    begin, end = f"<!-- bench {subject} -->", f"<!-- end {subject} -->"
    if begin not in page:
        sys.exit(f"{PAGE} has no place for {subject}")
    PAGE.write_text(re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{told}\n{end}", page, flags=re.DOTALL))


def main() -> None:
    """Run the subjects that are named."""
    words = sys.argv[1:]
    chosen = [word for word in words if word != "--write"] or list(SUBJECTS)
    unknown = [name for name in chosen if name not in SUBJECTS]
    if unknown:
        sys.exit(f"unknown subject {unknown[0]!r}: choose from {', '.join(SUBJECTS)}")
    # So that the lab is taken down also when the bench is cut short by a time limit.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for name in chosen:
        tables = SUBJECTS[name]()
        told = f"{tables}\n\n{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores."
        print(told, flush=True)
        if "--write" in words:
            write(name, told)


if __name__ == "__main__":
    main()
