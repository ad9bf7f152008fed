"""``make bench``: whole processes, side by side in one run, as medians and ratios.

``python -m tests.bench [SUBJECT...]`` runs some of the subjects, or all.
"""

from __future__ import annotations

import signal
import sys

from tests.bench import audit, inventory, removal

SUBJECTS = {"audit": audit.run, "inventory": inventory.run, "removal": removal.run}


def main() -> None:
    """Run the subjects that are named."""
    chosen = sys.argv[1:] or list(SUBJECTS)
    unknown = [name for name in chosen if name not in SUBJECTS]
    if unknown:
        sys.exit(f"unknown subject {unknown[0]!r}: choose from {', '.join(SUBJECTS)}")
    # So that the lab is taken down also when the bench is cut short by a time limit.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for name in chosen:
        SUBJECTS[name]()


if __name__ == "__main__":
    main()
