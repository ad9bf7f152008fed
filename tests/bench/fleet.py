"""An audit of many hosts, and of one, next to every peer that does the same; a thousand hosts; and a far fleet."""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from tests.bench.delay import delayed
from tests.bench.measure import Spent, spent
from tests.bench.peers import Tool, install, tools
from tests.bench.stage import Stage, stage
from tests.lab.box import Box

ROUNDS = 3
ROUNDS_ALONE = 9
"""For one host, which takes a second: so many that an odd moment of the machine does not decide."""

FORKS = (25, 100)
"""The numbers of hosts at once that are tried; each tool's better one is told."""

HOSTS = 200
FEW = 20
DELAY_S = 0.05

CORES = os.cpu_count() or 1


def fleet() -> str:
    """Many hosts: every tool, with the better of its settings. The docker CLI is asked for few of them only."""
    install()
    with stage(HOSTS) as (found, _):
        sets = {forks: tools(found, forks) for forks in FORKS}
        return (
            _compared(f"{HOSTS} hosts", sets, HOSTS)
            + "\n\n"
            + _compared(f"{FEW} hosts", {FEW: [tool for tool in tools(found, FEW) if _is_ours_or_docker(tool)]}, FEW)
        )


def _is_ours_or_docker(tool: Tool) -> bool:
    return tool.name.startswith(("fleetsweep", "docker"))


def one() -> str:
    """One host: where starting is what counts."""
    install()
    with stage(1) as (found, _):
        return _compared("one host", {1: tools(found, 1)}, 1, ROUNDS_ALONE)


def scale() -> str:
    """A thousand hosts: what one more costs the controller."""
    with stage(1000) as (found, _):
        ours = tools(found, 100)[0]
        lines = ["| fleetsweep audit | wall s | CPU ms a host | peak MiB |", "| --- | --- | --- | --- |"]
        for hosts in (1, 200, 1000):
            runs = [_run(ours, hosts) for _ in range(ROUNDS)]
            lines.append(
                f"| {hosts} hosts | {_middle([run.wall_s for run in runs]):.2f} "
                f"| {_middle([run.cpu_s for run in runs]) / hosts * 1000:.1f} "
                f"| {_middle([run.peak_mib for run in runs]):.0f} |"
            )
        return "\n".join(lines)


def latency() -> str:
    """A far fleet: behind a proxy that holds every byte back on its way there and on its way here."""
    with stage(HOSTS) as (found, box), _far(found, box) as port:
        far = [tool for tool in tools(replace(found, port=port), 100) if tool.name.startswith(("fleetsweep", "bare"))]
        runs: dict[tuple[str, int], list[Spent]] = {}
        for _ in range(ROUNDS):
            for tool in far:
                for hosts in (1, HOSTS):
                    runs.setdefault((tool.name, hosts), []).append(_run(tool, hosts))
        walls = {key: _middle([run.wall_s for run in taken]) for key, taken in runs.items()}
        lines = [
            f"| {DELAY_S * 1000:.0f} ms each way | hosts | wall s | to one host | CPU s | the machine's CPU s a core |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        for (name, hosts), taken in runs.items():
            lines.append(
                f"| {name} | {hosts} | {walls[name, hosts]:.2f} | {walls[name, hosts] / walls[name, 1]:.2f} "
                f"| {_middle([run.cpu_s for run in taken]):.2f} "
                f"| {_middle([run.machine_s for run in taken]) / CORES:.2f} |"
            )
        return "\n".join(lines)


@contextmanager
def _far(found: Stage, box: Box) -> Iterator[int]:
    with delayed(found.port, DELAY_S, found.directory / "delay") as port:
        found.know(port, box)
        yield port


def _compared(title: str, sets: dict[int, list[Tool]], hosts: int, rounds: int = ROUNDS) -> str:
    """One row a tool, by the settings that were its better ones in the first round, and alone went on.

    All take turns, so that a busy moment burdens them alike.
    """
    taken: dict[str, dict[int, list[Spent]]] = {}
    failed: dict[tuple[str, int], str] = {}
    loads = []
    for number in range(rounds):
        better = {name: min(by_forks, key=lambda forks: by_forks[forks][0].wall_s) for name, by_forks in taken.items()}
        for forks, these in sets.items():
            for tool in these:
                if hosts > tool.most or (tool.name, forks) in failed or (number and better.get(tool.name) != forks):
                    continue
                loads.append(os.getloadavg()[0])
                try:
                    run = _run(tool, hosts)
                    taken.setdefault(tool.name, {}).setdefault(forks, []).append(run)
                    told = f"{run.wall_s:.2f} s"
                except (RuntimeError, OSError) as error:
                    told = failed[tool.name, forks] = str(error).splitlines()[0][-80:]
                finally:
                    tool.after()
                print(f"{title}, round {number + 1}: {tool.name} with {forks} at once: {told}", file=sys.stderr)
    good: dict[str, dict[int, list[Spent]]] = {}
    for name, by_forks in taken.items():
        whole = {forks: runs for forks, runs in by_forks.items() if (name, forks) not in failed}
        if whole:
            good[name] = whole
    missing = {name: why for (name, _), why in failed.items() if name not in good}
    return f"{_table(title, good, missing, hosts)}\n\nLoad of the machine meanwhile: {_middle(loads):.1f}."


def _run(tool: Tool, hosts: int) -> Spent:
    return spent(tool.command(hosts), tool.environment, lambda said: tool.prints(said, hosts))


def _table(title: str, taken: dict[str, dict[int, list[Spent]]], missing: dict[str, str], hosts: int) -> str:
    best = {
        name: min(by_forks.items(), key=lambda item: _middle([run.wall_s for run in item[1]]))
        for name, by_forks in taken.items()
    }
    ours = _middle([run.wall_s for run in best["fleetsweep audit"][1]])
    lines = [
        f"| {title} | forks | median s | min-max s | times fleetsweep | CPU ms a host | peak MiB "
        "| the machine's CPU s a core |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, (forks, runs) in best.items():
        walls, cpu_s, peak_mib, machine_s = (
            [getattr(run, what) for run in runs] for what in ("wall_s", "cpu_s", "peak_mib", "machine_s")
        )
        lines.append(
            f"| {name} | {'default' if name.startswith('fleetsweep') else forks} | {_middle(walls):.2f} "
            f"| {min(walls):.2f}-{max(walls):.2f} | {_middle(walls) / ours:.2f} "
            f"| {_middle(cpu_s) / hosts * 1000:.1f} | {_middle(peak_mib):.0f} | {_middle(machine_s) / CORES:.2f} |"
        )
    lines += [f"| {name} | | missing: {why} | | | | | |" for name, why in missing.items()]
    return "\n".join(lines)


def _middle(values: Sequence[float]) -> float:
    return statistics.median(values)
