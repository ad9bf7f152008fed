"""``make bench``: whole processes, side by side in one run, as medians and ratios."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from tests.lab import Lab
from tests.lab.incident import seed

ROUNDS = 7


def main() -> None:
    """Time the help, and an audit of one box next to a bare ``ssh … true`` to the same box."""
    with Lab(3) as lab:
        seed(lab.boxes)
        box = lab.box("runner-2")
        ours = [sys.executable, "-m", "fleetsweep"]
        ssh = ["ssh", "-F", "none", "-p", str(box.port), "-i", str(lab.directory / "id_ed25519")]
        commands = {
            "ssh true": [*ssh, "-o", f"UserKnownHostsFile={lab.known_hosts}", "root@127.0.0.1", "true"],
            "fleetsweep --help": [*ours, "--help"],
            "fleetsweep audit, one host": [*ours, "audit", *lab.options(), "--host", box.name],
            "fleetsweep audit, three hosts": [*ours, "audit", *lab.options()],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                began = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                times[name].append(time.perf_counter() - began)
    base = statistics.median(times["ssh true"])
    print("| whole process | median s | min-max s | to ssh true |\n| --- | --- | --- | --- |")
    for name, taken in times.items():
        middle = statistics.median(taken)
        print(f"| {name} | {middle:.2f} | {min(taken):.2f}-{max(taken):.2f} | {middle / base:.1f} |")


if __name__ == "__main__":
    main()
