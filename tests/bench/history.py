"""Commands that read the journal, over 30 days of hourly runs on 50 hosts."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.bench.measure import OURS, Spent, spent
from tests.generators.journal import HOUR_S, Shape, write_journal

ROUNDS: Final = 3
_HOUR_NS: Final = HOUR_S * 10**9


def run() -> str:
    """Return a table with a row for each command."""
    with tempfile.TemporaryDirectory() as directory:
        state = Path(directory) / "state"
        # The last run is of this hour, so that the commands' default time covers the journal.
        written = write_journal(state, Shape(end_ns=time.time_ns() // _HOUR_NS * _HOUR_NS - _HOUR_NS))
        size = (state / "journal.db").stat().st_size / 2**20
        head = f"{written.runs} runs of 50 hosts, {written.leaks.total()} leaks, {size:.1f} MiB"
        page = str(Path(directory) / "page.html")
        commands = (
            ["history"],
            ["history", "--by", "image"],
            ["history", "--by", "host", "--per", "day", "-n", "50"],
            ["history", "--by", "host", "--per", "day", "--format", "json"],
            ["show", "--format", "json"],
            ["explain", "--past", "ws-stuck"],
            ["report", "--html", page],
        )
        lines = [f"| {head} | median s | CPU s | peak MiB |", "| --- | --- | --- | --- |"]
        for words in commands:
            named = ["FILE" if word == page else word for word in words]
            lines.append(f"| `{' '.join(named)}` | {_figures(_measured(words, state))} |")
        return "\n".join(lines)


def _measured(words: list[str], state: Path) -> list[Spent]:
    command = [*OURS, *words, "--state-dir", str(state)]
    return [spent(command, {}, lambda _: True) for _ in range(ROUNDS)]


def _figures(rounds: list[Spent]) -> str:
    wall_s, cpu_s, peak_mib = (
        statistics.median(values)
        for values in zip(*((each.wall_s, each.cpu_s, each.peak_mib) for each in rounds), strict=True)
    )
    return f"{wall_s:.2f} | {cpu_s:.2f} | {peak_mib:.0f}"
