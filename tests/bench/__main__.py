"""``make bench``: compare whole processes side by side, as medians and ratios.

``python -m tests.bench [--write] [SUBJECT...]`` runs the named subjects, or all. ``--write`` updates the tables in
docs/performance.md and docs/scale.md, each between its two markers.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import audits, history, inventory, removal, scale_out

SUBJECTS: dict[str, Callable[[], str]] = {
    "fleet": audits.fleet,
    "one": audits.one,
    "latency": audits.latency,
    "scale": audits.scale,
    "cores": audits.cores,
    "history": history.run,
    "boxes": scale_out.run,
    "inventory": inventory.run,
    "removal": removal.run,
}
PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
SCALE = PAGE.with_name("scale.md")


def write(subject: str, text: str) -> None:
    """Write one subject's tables between its markers on the page."""
    path = SCALE if subject == "boxes" else PAGE
    page = path.read_text()
    begin, end = f"<!-- bench {subject} -->", f"<!-- end {subject} -->"
    if begin not in page:
        sys.exit(f"{path} has no place for {subject}")
    path.write_text(re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{text}\n{end}", page, flags=re.DOTALL))


def main() -> None:
    """Run the named subjects, or all."""
    words = sys.argv[1:]
    chosen = [word for word in words if word != "--write"] or list(SUBJECTS)
    unknown = [name for name in chosen if name not in SUBJECTS]
    if unknown:
        sys.exit(f"unknown subject {unknown[0]!r}: choose from {', '.join(SUBJECTS)}")
    # So that a time limit that ends the bench also stops the lab.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for name in chosen:
        tables = SUBJECTS[name]()
        text = f"{tables}\n\n{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores."
        print(text, flush=True)
        if "--write" in words:
            write(name, text)


if __name__ == "__main__":
    main()
