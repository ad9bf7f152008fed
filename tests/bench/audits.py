"""Audits of many hosts and of one, compared with peers; of a thousand hosts; and over a link with latency."""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from tests.bench.bench_fleet import BenchFleet, bench_fleet
from tests.bench.delay_proxy import delayed
from tests.bench.measure import Spent, spent
from tests.bench.peers import Tool, install, tools
from tests.lab.box import Box

ROUNDS = 3
ROUNDS_ALONE = 9
"""Rounds for one host, which takes a second: enough to average out noise."""

FORKS = (25, 100)
"""The concurrencies to try; each tool's better one is reported."""

HOSTS = 200
FEW = 20
DELAY_S = 0.05

CORES = os.cpu_count() or 1

_LOWER_BOUND = "bare paramiko loop (connect, list)"


def fleet() -> str:
    """Compare every tool on many hosts, with its better concurrency. The docker CLI runs on a few hosts only."""
    install()
    with bench_fleet(HOSTS) as (found, _):
        sets = {forks: tools(found, forks) for forks in FORKS}
        return (
            _compared(f"{HOSTS} hosts", sets, HOSTS)
            + "\n\n"
            + _compared(f"{FEW} hosts", {FEW: [tool for tool in tools(found, FEW) if _is_ours_or_docker(tool)]}, FEW)
        )


def _is_ours_or_docker(tool: Tool) -> bool:
    return tool.name.startswith(("fleetsweep", "docker"))


def one() -> str:
    """Compare every tool on one host, where start-up dominates."""
    install()
    with bench_fleet(1) as (found, _):
        return _compared("one host", {1: tools(found, 1)}, 1, ROUNDS_ALONE)


def scale() -> str:
    """Measure a thousand hosts: the cost of one more host, next to the lower bound measured at the same time.

    The marginal CPU is that of each host more than in the tool's row before; the ratio is to the bare paramiko loop's.
    """
    with bench_fleet(1000) as (found, _):
        lines = [
            "| a large fleet | hosts | wall s | CPU ms a host | marginal CPU ms a host | ratio | peak MiB |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        before: dict[str, float] = {}
        fewer = 0
        for hosts in (1, 200, 1000):
            runs: dict[str, list[Spent]] = {}
            for _ in range(ROUNDS):
                for tool in _ours_and_floor(found):
                    runs.setdefault(tool.name, []).append(_run(tool, hosts))
            cpu_s = {name: _middle([run.cpu_s for run in taken]) for name, taken in runs.items()}
            slopes = {name: (cpu_s[name] - before[name]) / (hosts - fewer) * 1000 for name in before}
            for name, taken in runs.items():
                marginal = f"{slopes[name]:.2f} | {slopes[name] / slopes[_LOWER_BOUND]:.2f}" if slopes else "- | -"
                lines.append(
                    f"| {name} | {hosts} | {_middle([run.wall_s for run in taken]):.2f} "
                    f"| {cpu_s[name] / hosts * 1000:.1f} | {marginal} "
                    f"| {_middle([run.peak_mib for run in taken]):.0f} |"
                )
            before, fewer = cpu_s, hosts
        return "\n".join(lines)


def _ours_and_floor(found: BenchFleet) -> list[Tool]:
    return [tool for tool in tools(found, 100) if tool.name.startswith(("fleetsweep", "bare"))]


def cores() -> str:
    """Measure a thousand hosts with sshd and the engines on one core, and the controller on another."""
    if CORES < 2:
        return "This machine has one core."
    hosts = 1000
    lines = [
        "| sshd on one core, the controller on another | hosts | wall s | hosts a second | the controller's CPU s "
        "| hosts a second of its CPU |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    with bench_fleet(hosts, ("taskset", "-c", "0")) as (found, _):
        ours, *others = _ours_and_floor(found)
        tools = [
            ours,
            replace(ours, name=f"{ours.name} -f 32", command=lambda hosts: [*ours.command(hosts), "-f", "32"]),
            *others,
        ]
        runs: dict[str, list[Spent]] = {}
        for _ in range(ROUNDS):
            for tool in tools:
                pinned = replace(tool, command=partial(_on_core, 1, tool.command))
                runs.setdefault(tool.name, []).append(_run(pinned, hosts))
    for name, taken in runs.items():
        wall_s, cpu_s = _middle([run.wall_s for run in taken]), _middle([run.cpu_s for run in taken])
        lines.append(f"| {name} | {hosts} | {wall_s:.2f} | {hosts / wall_s:.0f} | {cpu_s:.2f} | {hosts / cpu_s:.0f} |")
    return "\n".join(lines)


def _on_core(core: int, command: Callable[[int], Sequence[str]], hosts: int) -> Sequence[str]:
    return ["taskset", "-c", str(core), *command(hosts)]


def latency() -> str:
    """Measure a distant fleet, behind a proxy that delays every byte in both directions."""
    with bench_fleet(HOSTS) as (found, box), _far(found, box) as port:
        far = _ours_and_floor(replace(found, port=port))
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
def _far(found: BenchFleet, box: Box) -> Iterator[int]:
    with delayed(found.port, DELAY_S, found.directory / "delay") as port:
        found.know(port, box)
        yield port


@dataclass(slots=True)
class _Entry:
    """One tool with one concurrency, and the results of its runs. It is out after two failures."""

    tool: Tool
    forks: int
    runs: list[Spent] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def out(self) -> bool:
        return len(self.failures) > 1 or not self.runs

    @property
    def wall_s(self) -> float:
        return _middle([run.wall_s for run in self.runs])

    def run(self, hosts: int) -> str:
        """Run it once; return the time or the error."""
        try:
            self.runs.append(_run(self.tool, hosts))
        except (RuntimeError, OSError) as error:
            self.failures.append(str(error).strip().splitlines()[-1][-120:])
            return self.failures[-1]
        finally:
            self.tool.after()
        return f"{self.runs[-1].wall_s:.2f} s"


def _compared(title: str, sets: dict[int, list[Tool]], hosts: int, rounds: int = ROUNDS) -> str:
    """Return one row a tool, at the concurrency that was better in the first round.

    The tools alternate, so that a busy moment affects them alike.
    """
    entries = [_Entry(tool, forks) for forks, these in sets.items() for tool in these if hosts <= tool.most]
    for number in range(rounds):
        for entry in entries:
            if len(entry.failures) > 1:
                continue
            outcome = entry.run(hosts)
            print(f"{title}, round {number + 1}: {entry.tool.name}, {entry.forks} at once: {outcome}", file=sys.stderr)
        if number == 0:
            entries = _better(entries)
    return _table(title, entries, hosts)


def _better(entries: list[_Entry]) -> list[_Entry]:
    """Return the faster entry of each tool; a failed one only if no other ran."""
    found: dict[str, _Entry] = {}
    for entry in entries:
        other = found.setdefault(entry.tool.name, entry)
        if not other.runs or (entry.runs and entry.wall_s < other.wall_s):
            found[entry.tool.name] = entry
    return list(found.values())


def _run(tool: Tool, hosts: int) -> Spent:
    return spent(tool.command(hosts), tool.environment, lambda outcome: tool.prints(outcome, hosts))


def _table(title: str, entries: list[_Entry], hosts: int) -> str:
    ours = entries[0].wall_s
    lines = [
        f"| {title} | forks | median s | min-max s | times fleetsweep | CPU ms a host | peak MiB "
        "| the machine's CPU s a core |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for entry in entries:
        name = entry.tool.name
        if entry.out:
            lines.append(f"| {name} | {entry.forks} | missing: {entry.failures[-1]} | | | | | |")
            continue
        walls, cpu_s, peak_mib, machine_s = (
            [getattr(run, what) for run in entry.runs] for what in ("wall_s", "cpu_s", "peak_mib", "machine_s")
        )
        failed = f" ({len(entry.failures)} run failed)" if entry.failures else ""
        lines.append(
            f"| {name}{failed} | {'default' if name.startswith('fleetsweep') else entry.forks} "
            f"| {entry.wall_s:.2f} | {min(walls):.2f}-{max(walls):.2f} | {entry.wall_s / ours:.2f} "
            f"| {_middle(cpu_s) / hosts * 1000:.1f} | {_middle(peak_mib):.0f} | {_middle(machine_s) / CORES:.2f} |"
        )
    return "\n".join(lines)


def _middle(values: Sequence[float]) -> float:
    return statistics.median(values)
