"""Reading an inventory of 10,000 hosts: ``fleetsweep hosts`` with a limit next to ``ansible-inventory --list``."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench.measure import OURS, table

HOSTS = 10_000
ROUNDS = 3
GROUPS = ("web", "db", "ci", "arm")
"""Groups of 250 hosts each, by the name of the group above them: web1, web2, … below web."""

SIZE = 250


def run() -> str:
    """One table for each form of the inventory, and what memory both took."""
    tables = []
    with tempfile.TemporaryDirectory(prefix="fsb-") as directory:
        for name, write in {"INI": _ini, "YAML with group_vars": _yaml}.items():
            place = Path(directory) / name[:4].lower()
            place.mkdir()
            tables.append(_compare(name, write(place), place))
    return "\n\n".join(tables)


def _compare(name: str, inventory: Path, place: Path) -> str:
    theirs = [sys.executable, "-m", "ansible", "inventory", "-i", str(inventory), "--list"]
    ours = [*OURS, "hosts", "-i", str(inventory), "-l", "web*", "--format", "json"]
    commands = {"ansible-inventory --list": theirs, "fleetsweep hosts -l 'web*'": ours}
    times: dict[str, list[float]] = {label: [] for label in commands}
    peaks: dict[str, list[float]] = {label: [] for label in commands}
    for number in range(ROUNDS + 1):
        for label, command in commands.items():
            took, peak = _cost(command, place)
            if not number:
                # The first of each compiles, and is not counted.
                continue
            times[label].append(took)
            peaks[label].append(peak)
    memory = ", ".join(f"{label} {statistics.median(found):.0f} MiB" for label, found in peaks.items())
    return f"{table(f'{HOSTS} hosts, {name}', times)}\n\nPeak memory: {memory}."


def _cost(command: Sequence[str], cwd: Path) -> tuple[float, float]:
    """The wall time in seconds and the peak memory in MiB of one process, which must succeed."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "FLEETSWEEP_"))}
    configuration = cwd / "ansible.cfg"
    configuration.touch()
    environment |= {"ANSIBLE_CONFIG": str(configuration), "ANSIBLE_HOME": str(cwd), "LC_ALL": "C.UTF-8"}
    # Both as pip installs them, compiled: a checkout may stand where nothing compiled is to be kept.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = str(cwd / "compiled")
    with (cwd / "out").open("wb") as out:
        began = time.perf_counter()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=environment
        )
        _, status, usage = os.wait4(child.pid, 0)
        took = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        said = (cwd / "out").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{' '.join(command[:6])} … exited with {child.returncode}:\n{said}")
    return took, usage.ru_maxrss / 1024


def _groups() -> dict[str, dict[str, list[int]]]:
    """Each group's groups, and the numbers of their hosts."""
    found: dict[str, dict[str, list[int]]] = {group: {} for group in GROUPS}
    for place, first in enumerate(range(1, HOSTS + 1, SIZE)):
        group = GROUPS[place % len(GROUPS)]
        found[group][f"{group}{len(found[group]) + 1}"] = list(range(first, first + SIZE))
    return found


def _address(number: int) -> str:
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def _hosts(line: Callable[[str, int], str]) -> dict[str, list[str]]:
    """For each group of hosts its lines."""
    return {
        name: [line(f"{group}-{number:05}.example.com", number) for number in numbers]
        for group, below in _groups().items()
        for name, numbers in below.items()
    }


def _ini(place: Path) -> Path:
    lines = []
    hosts = _hosts(
        lambda name, number: f"{name} ansible_host={_address(number)} rack=r{number % 40} slot={number % 16}"
    )
    for group, below in _groups().items():
        for name in below:
            lines += [f"[{name}]", *hosts[name], ""]
        lines += [
            f"[{group}:children]",
            *below,
            "",
            f"[{group}:vars]",
            "ansible_user=ci",
            f"fleetsweep_cap={len(group)}",
        ]
    path = place / "hosts"
    path.write_text("\n".join([*lines, "[all:vars]", "fleetsweep_max_age=4h", ""]))
    return path


def _yaml(place: Path) -> Path:
    lines = ["all:", "  children:"]
    hosts = _hosts(
        lambda name, number: (
            f"            {name}: {{ansible_host: {_address(number)}, rack: r{number % 40}, slot: {number % 16}}}"
        )
    )
    variables = place / "group_vars"
    variables.mkdir()
    (variables / "all.yml").write_text("fleetsweep_max_age: 4h\n")
    for group, below in _groups().items():
        lines += [f"    {group}:", "      children:"]
        (variables / f"{group}.yml").write_text(f"ansible_user: ci\nfleetsweep_cap: {len(group)}\n")
        for name in below:
            lines += [f"        {name}:", "          hosts:", *hosts[name]]
            (variables / f"{name}.yml").write_text(f"pod: {name}\n")
    path = place / "hosts.yml"
    path.write_text("\n".join([*lines, ""]))
    return path
