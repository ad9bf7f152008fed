"""The help, and an audit of few boxes, next to a bare ``ssh … true`` to one of them."""

from __future__ import annotations

from tests.bench.measure import OURS, seconds, table
from tests.lab import Lab
from tests.lab.incident import seed

ROUNDS = 7


def run() -> None:
    """Print one table."""
    with Lab(3) as lab:
        seed(lab.boxes)
        box = lab.box("runner-2")
        ssh = ["ssh", "-F", "none", "-p", str(box.port), "-i", str(lab.client_key)]
        commands = {
            "ssh true": [*ssh, "-o", f"UserKnownHostsFile={lab.known_hosts}", "root@127.0.0.1", "true"],
            "fleetsweep --help": [*OURS, "--help"],
            "fleetsweep audit, one host": [*OURS, "audit", *lab.options(), "--host", box.name],
            "fleetsweep audit, three hosts": [*OURS, "audit", *lab.options()],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                times[name].append(seconds(command))
    print(table("audit", times))
