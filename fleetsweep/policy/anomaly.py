"""The guard ``anomaly``: far more candidates on a host than its own past runs found. Pure."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from typing import Final

from fleetsweep.model.decision import Guard, GuardName

RUNS: Final = 10
"""Runs that a host's history must have: with fewer the guard does not trip."""

FACTOR: Final = 6
"""A count is far above the history if it exceeds the median by this many median absolute deviations."""

FLOOR: Final = 10
"""Candidates above the median that are never an anomaly: most histories have a deviation of 0."""


def anomaly_guard(found: int, history: Sequence[int]) -> Guard | None:
    """Return a guard if ``found`` candidates are far above ``history``, the earlier counts from the oldest on."""
    normal = _normal(history)
    if len(normal) < RUNS or found <= (limit := _limit(normal)):
        return None
    return Guard(
        GuardName.ANOMALY,
        f"{found} candidates are far above the {_median(normal):g} that {len(normal)} past runs found: nothing is "
        "removed here; if they are to go, run once without --anomaly",
        limit=limit,
        found=found,
    )


def _normal(history: Sequence[int]) -> list[int]:
    """Return the counts that were no anomaly when they were found, sorted.

    Otherwise an anomaly that is there for long enough would become normal, and then be removed.
    """
    normal: list[int] = []
    for count in history:
        if len(normal) < RUNS or count <= normal[-1] or count <= _limit(normal):
            insort(normal, count)
    return normal


def _limit(counts: Sequence[int]) -> int:
    median = _median(counts)
    deviation = _median(sorted(abs(count - median) for count in counts))
    return int(median + max(FLOOR, FACTOR * deviation))


def _median(ordered: Sequence[float]) -> float:
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
