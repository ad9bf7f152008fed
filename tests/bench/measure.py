"""Timing whole processes side by side, and the Markdown that tells it."""

from __future__ import annotations

import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

OURS = [str(Path(sys.executable).with_name("fleetsweep"))]


PATIENCE_S = 180
"""Seconds. A tool that hangs must not take the other tools' figures with it."""


def seconds(command: Sequence[str]) -> float:
    """The wall time of one process. Raises RuntimeError when it fails, or does not end in time."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as child:
        try:
            said, _ = child.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            raise RuntimeError(f"it did not end within {PATIENCE_S} s") from None
    took = time.perf_counter() - began
    if child.returncode:
        raise RuntimeError(f"{' '.join(command[:6])} … exited with {child.returncode}:\n{said}")
    return took


@dataclass(frozen=True, slots=True)
class Spent:
    """What one process and the children that it waited for cost. ``peak_mib`` is of the largest of them alone.

    ``machine_s`` is the CPU time of all that ran on this machine meanwhile: the boxes' sshd and engines, too.
    """

    wall_s: float
    cpu_s: float
    peak_mib: float
    machine_s: float


def _machine_s() -> float:
    """Seconds of CPU that this machine's cores have spent so far (proc(5), /proc/stat), without what was stolen."""
    user, nice, system, _idle, _waiting, hard, soft, *_ = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    return sum(int(ticks) for ticks in (user, nice, system, hard, soft)) / os.sysconf("SC_CLK_TCK")


def spent(
    command: Sequence[str],
    environment: Mapping[str, str],
    is_right: Callable[[str], bool],
    codes: Sequence[int] = (0,),
    *,
    patience_s: float = PATIENCE_S,
) -> Spent:
    """Run one process whose output must be right. Raises RuntimeError with it when it is not, or not in time."""
    with tempfile.TemporaryFile() as output:
        began, spent_before = time.perf_counter(), _machine_s()
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "COLUMNS": "200", **environment},
            start_new_session=True,
        )
        given_up = threading.Timer(patience_s, os.killpg, (child.pid, signal.SIGKILL))
        given_up.start()
        _, status, usage = os.wait4(child.pid, 0)
        given_up.cancel()
        took, machine_s = time.perf_counter() - began, _machine_s() - spent_before
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode(errors="replace")
    if child.returncode == -signal.SIGKILL:
        raise RuntimeError(f"it did not end within {patience_s:.0f} s")
    if child.returncode not in codes or not is_right(said):
        raise RuntimeError(f"{' '.join(command[:3])[:200]} … exited with {child.returncode}:\n{said[-1500:]}")
    return Spent(took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, machine_s)


def table(title: str, times: Mapping[str, Sequence[float]], missing: Mapping[str, str] | None = None) -> str:
    """One row a command: median, min-max, and the ratio of its median to the first row's.

    ``missing`` says of a command why it has no figures.
    """
    first = next(iter(times))
    base = statistics.median(times[first]) if first not in (missing or {}) else math.nan
    lines = [f"| {title} | rounds | median s | min-max s | ratio |", "| --- | --- | --- | --- | --- |"]
    for name, taken in times.items():
        if missing and name in missing:
            lines.append(f"| {name} | missing: {missing[name]} | | | |")
            continue
        middle = statistics.median(taken)
        lines.append(
            f"| {name} | {len(taken)} | {middle:.2f} | {min(taken):.2f}-{max(taken):.2f} | {middle / base:.2f} |"
        )
    return "\n".join(lines)
