"""Hosts that nobody has looked at for too long: pure, from a run's rows and what the journal remembers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fleetsweep.model.container import SECOND
from fleetsweep.model.report import HostReport, Silence


def mark(
    rows: Sequence[HostReport], last_looks: Mapping[str, int], now_ns: int, limit_s: float
) -> tuple[HostReport, ...]:
    """The rows, with those marked that have no look in this run and none in the ``limit_s`` seconds before it.

    ``last_looks`` has the time of each host's last look, nanoseconds by this machine's clock. A time to come tells
    that this clock was wrong then or is now: it is no look.
    """

    def marked(row: HostReport) -> HostReport:
        if row.plan is not None:
            return row
        last_ns = last_looks.get(row.host.name)
        if last_ns is not None and 0 <= now_ns - last_ns <= limit_s * SECOND:
            return row
        return replace(row, silence=Silence(last_ns, limit_s))

    return tuple(marked(row) for row in rows)
