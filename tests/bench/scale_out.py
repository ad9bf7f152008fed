"""Audits of 1,000 and 10,000 simulated boxes by threads, by worker processes, and by a Dask cluster with two zones."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.measure import OURS, Spent, spent
from tests.lab.dask_lab import DaskLab, open_dask
from tests.lab.simulated_boxes import ZONES
from tests.lab.simulated_fleet import SimulatedFleet, simulated_fleet

SIZES = (1000, 10_000)
PATIENCE_S = 1800.0
CODES = (3, 4)
"""Some boxes are unreachable, and some have a guard."""


def run() -> str:
    """Measure each way once, at each size, on one fleet."""
    lines = [
        "| simulated boxes | by | wall s | CPU ms a host | controller's peak MiB |",
        "| --- | --- | --- | --- | --- |",
    ]
    with simulated_fleet(max(SIZES)) as fleet, _cluster() as lab:
        for size in SIZES:
            for name, words in (
                ("threads", ()),
                ("2 processes", ("--processes", "2")),
                ("Dask, two zones", ("--scheduler", lab.url)),
            ):
                workers = _cpu_s(lab) if "--scheduler" in words else 0.0
                taken = _audit(fleet, size, words)
                more_s = _cpu_s(lab) - workers if "--scheduler" in words else 0.0
                cpu_ms = (taken.cpu_s + more_s) / size * 1000
                line = f"| {size:,} | {name} | {taken.wall_s:.1f} | {cpu_ms:.1f} | {taken.peak_mib:.0f} |"
                print(line, file=sys.stderr, flush=True)
                lines.append(line)
    return "\n".join(lines)


@contextmanager
def _cluster() -> Iterator[DaskLab]:
    with open_dask() as lab:
        for zone in ZONES:
            lab.worker(zone)
        lab.await_workers()
        yield lab


def _audit(fleet: SimulatedFleet, size: int, words: Sequence[str]) -> Spent:
    options = fleet.options(size, zones=True, state=f"state-{time.monotonic_ns()}")
    right: Callable[[str], bool] = lambda text: f"/{size} ok" in text  # noqa: E731
    command = [*OURS, "audit", *options, *words, "--run-timeout", f"{PATIENCE_S:.0f}s", "-T", "60s"]
    return spent(command, {}, right, CODES, patience_s=PATIENCE_S)


def _cpu_s(lab: DaskLab) -> float:
    """Return the seconds of CPU that a cluster's processes have used."""
    ticks = 0
    for daemon in (lab.scheduler, *lab.workers.values()):
        fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
