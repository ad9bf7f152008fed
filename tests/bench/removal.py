"""Removal of running containers from one engine: ``sweep``, with its verification, next to ``docker rm -f``."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from tests.bench.measure import OURS, seconds, table
from tests.lab import Lab
from tests.lab.box import Box, Spec
from tests.lab.process import wait_for

ROUNDS = {40: 5, 200: 3}
"""Rounds, by the number of containers."""

MAX_AGE_S = 2
AGES = ["--max-age", f"{MAX_AGE_S}s", "--job-timeout", "1s"]


def run() -> str:
    """Return one table for each number of containers."""
    return "\n\n".join(_compared(count, rounds) for count, rounds in ROUNDS.items())


def _compared(count: int, rounds: int) -> str:
    """Return one table, without tools that fail or hang: a real dockerd was seen to hang in ``docker rm -f``."""
    times: dict[str, list[float]] = {"docker rm -f": [], "fleetsweep sweep --local --yes": []}
    missing: dict[str, str] = {}
    for number in range(rounds):
        # The order alternates, so that leftovers of one tool affect both alike.
        for name in sorted(times, reverse=number % 2 == 1):
            if name in missing:
                continue
            try:
                # An engine for each tool: one that hangs can't be reused or cleared.
                with Lab(1) as lab:
                    ours = name.startswith("fleetsweep")
                    times[name].append(_removal(lab.boxes[0], count, lab.state, ours=ours))
            except (RuntimeError, OSError) as error:
                missing[name] = str(error).splitlines()[0][:200]
    return table(f"{count} running containers", times, missing)


def _removal(box: Box, count: int, state: Path, *, ours: bool) -> float:
    """Return the seconds that one tool takes to remove that many. Raises RuntimeError if any is left."""
    began = time.monotonic()
    ids = box.seed([Spec(f"ws-{number}") for number in range(count)]).values()
    wait_for(lambda: time.monotonic() > began + MAX_AGE_S and _oldest_enough(box), "the containers growing old")
    engine = f"unix://{box.socket}"
    took = seconds(
        [*OURS, "sweep", "--local", "--engine", engine, "--yes", "--cap", "none", "--state-dir", str(state), *AGES]
        if ours
        else ["docker", "-H", engine, "rm", "-f", *ids]
    )
    if box.names():
        raise RuntimeError(f"{len(box.names())} of {count} containers are still there")
    return took


def _oldest_enough(box: Box) -> bool:
    """Return whether an audit finds all of them stale."""
    audit = [*OURS, "audit", "--local", "--engine", f"unix://{box.socket}", *AGES, "--cap", "none", "--format", "json"]
    totals = json.loads(subprocess.run(audit, check=True, capture_output=True).stdout)["totals"]
    return bool(totals["stale"] == totals["containers"])
