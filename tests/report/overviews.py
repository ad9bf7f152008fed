"""Overviews to render: a small fleet in which all is well, and the parts to make others."""

from __future__ import annotations

from dataclasses import replace

from fleetsweep.model.container import SECOND
from fleetsweep.model.overview import (
    DAY_NS,
    FleetDay,
    HostDay,
    HostNow,
    LastRun,
    Leaker,
    Leakers,
    LeaksNow,
    Overview,
    Period,
    RemovalRow,
    RunRow,
)
from tests.report.build import NOW_NS

DAY = NOW_NS // DAY_NS
HOUR_NS = 3_600 * SECOND
QUIET = HostDay("ok", 0, None, 0)
NONE = Leakers((), 0)


def host_now(name: str = "runner-1", **changes: object) -> HostNow:
    """A host whose newest row, an hour ago, was ok."""
    made = HostNow(name, NOW_NS - HOUR_NS, "ok", None, None, None, None, "run-1", NOW_NS - HOUR_NS)
    return replace(made, **changes)  # type: ignore[arg-type]


def run_row(name: str = "runner-1", **changes: object) -> RunRow:
    """A host of the last run, with nothing stale."""
    return replace(RunRow(name, "ok", 4, 2, 0, 0, None, 0.4, None, None), **changes)  # type: ignore[arg-type]


def removal(name: str = "ws-1", **changes: object) -> RemovalRow:
    """A container that was removed."""
    made = RemovalRow(NOW_NS - HOUR_NS, "run-1", "runner-1", "a" * 64, name, "redis:7", "stale", 9_000, "removed", None)
    return replace(made, **changes)  # type: ignore[arg-type]


def leaks_now(host: str = "runner-1", **changes: object) -> LeaksNow:
    """A host with one stale container."""
    made = LeaksNow(host, 1, 2, NOW_NS - HOUR_NS, NOW_NS - DAY_NS, "ws-old", "redis:7")
    return replace(made, **changes)  # type: ignore[arg-type]


def leaker(what: str = "redis:7", **changes: object) -> Leaker:
    """An image that leaked three containers."""
    return replace(Leaker(what, 3, 0, 1, 7_200, NOW_NS - 20 * DAY_NS), **changes)  # type: ignore[arg-type]


def fleet(*names: str, **changes: object) -> Overview:
    """Three days of hosts on which nothing was ever stale."""
    hosts = names or ("runner-1", "runner-2")
    days = range(DAY - 2, DAY + 1)
    last = LastRun("run-1", "sweep", False, NOW_NS - HOUR_NS, NOW_NS - HOUR_NS, 0, tuple(map(run_row, hosts)), (), None)
    made = Overview(
        period=Period(days[0], days[-1], NOW_NS, 72, 0, 0, HOUR_NS),
        cells={name: dict.fromkeys(days, QUIET) for name in hosts},
        days=tuple(FleetDay(day, 24, len(hosts), 0, 0, None, 0, 0, {}) for day in days),
        hosts=tuple(map(host_now, hosts)),
        leaks=(),
        open_intents=(),
        by_image=NONE,
        by_attribute=NONE,
        by_host=NONE,
        guards=(),
        outcomes={},
        removals=(),
        last_run=last,
        unended=None,
    )
    return replace(made, **changes)  # type: ignore[arg-type]
