"""Hosts that were not surveyed for too long, from a run's rows and the journal. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fleetsweep.model.container import SECOND
from fleetsweep.model.report import HostReport, Silence


def mark_silent(row: HostReport, last_looks: Mapping[str, int], now_ns: int, limit_s: float) -> HostReport:
    """Return a row, marked if the host was not surveyed in this run or in the ``limit_s`` seconds before it.

    ``last_looks`` is the time of each host's last survey, in nanoseconds by this machine's clock. A time in the future
    means that this clock was or is wrong, so it doesn't count.
    """
    if row.plan is not None:
        return row
    last_ns = last_looks.get(row.host.name)
    if last_ns is not None and 0 <= now_ns - last_ns <= limit_s * SECOND:
        return row
    return replace(row, silence=Silence(last_ns, limit_s))
