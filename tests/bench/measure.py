"""Timing whole processes side by side, and the Markdown that tells it."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

OURS = [sys.executable, "-m", "fleetsweep"]


def seconds(command: Sequence[str]) -> float:
    """The wall time of one process, which must succeed."""
    began = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    took = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:6])} … exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    return took


def table(title: str, times: Mapping[str, Sequence[float]]) -> str:
    """One row a command: median, min-max, and the ratio of its median to the first row's."""
    base = statistics.median(next(iter(times.values())))
    lines = [f"| {title} | rounds | median s | min-max s | ratio |", "| --- | --- | --- | --- | --- |"]
    for name, taken in times.items():
        middle = statistics.median(taken)
        lines.append(
            f"| {name} | {len(taken)} | {middle:.2f} | {min(taken):.2f}-{max(taken):.2f} | {middle / base:.2f} |"
        )
    return "\n".join(lines)
