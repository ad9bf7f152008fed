"""The journal's size, and what was deleted from it, as text."""

from __future__ import annotations

import json

from fleetsweep.model.journal import JournalSize, Pruned
from fleetsweep.report.history import render_history
from fleetsweep.report.journal_size import render_pruned, size_line
from tests.report.build import NOW_NS
from tests.report.test_history import SWEEP

MIB = 2**20
SIZE = JournalSize("/var/lib/x\x1b/journal.db", 14 * MIB, 4 * MIB, MIB // 2, 696, 4791, NOW_NS)


def test_the_size_names_the_file_and_what_takes_it() -> None:
    assert size_line(SIZE) == (
        "/var/lib/x\\x1b/journal.db: 14.0 MiB (reports 4.0 MiB, evidence 0.5 MiB), 696 runs since "
        "2026-06-15T07:00:00Z, 4791 leaks"
    )
    assert render_history([SWEEP], "table", None, SIZE).endswith(size_line(SIZE) + "\n")
    assert json.loads(render_history([SWEEP], "json", None, SIZE))["journal"]["bytes"] == 14 * MIB
    assert "journal" not in json.loads(render_history([SWEEP], "json"))


def test_what_went_and_what_stayed_is_counted_with_both_sizes() -> None:
    pruned = Pruned(NOW_NS, 10, 20, 1, 2, 14 * MIB, 5 * MIB)
    assert render_pruned(pruned, "table").splitlines() == [
        "Deleted what ended before 2026-06-15T07:00:00Z: 10 runs, 20 leaks, 1 hold.",
        "Kept 2 older runs: a removal of theirs is open, or its container is held.",
        "The journal: 14.0 MiB before, 5.0 MiB now.",
    ]
    shown = json.loads(render_pruned(pruned, "json"))
    assert (shown["runs"], shown["kept_runs"], shown["bytes_after"]) == (10, 2, 5 * MIB)
