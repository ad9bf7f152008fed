"""What a clean host leaves in memory once it is planned: ten thousand of them must fit."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

from fleetsweep.inventory import load
from fleetsweep.model.container import Container
from fleetsweep.model.policy_flags import Flags
from fleetsweep.model.survey import Engine, Survey
from fleetsweep.policy.guards import plan_fleet
from fleetsweep.policy.settings import resolve
from fleetsweep.sweep.phases import host_reports
from tests.report.build import NOW_NS

HOSTS = 150
MOST_BYTES = 2048


def clean(number: int) -> tuple[Container, ...]:
    """Return containers that no selector matches."""
    return tuple(
        Container(
            f"{number:032x}{index:032x}",
            f"service-{index}-{number}",
            f"postgres:{number}",
            f"sha256:{number:064x}",
            "running",
            NOW_NS,
            {},
        )
        for index in range(6)
    )


def test_a_clean_host_leaves_at_most_2_kib(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yml"
    shared = "all:\n  vars: {ansible_user: root, ansible_ssh_private_key_file: /k}\n  hosts:\n"
    lines = (f"    box-{number}: {{ansible_host: 10.0.{number // 256}.{number % 256}}}\n" for number in range(HOSTS))
    inventory.write_text(shared + "".join(lines))
    load((str(inventory),), cwd=tmp_path, engine=None)
    tracemalloc.start()
    try:
        hosts = load((str(inventory),), cwd=tmp_path, engine=None).select(())
        policies = {host.name: resolve(Flags(), {}, host) for host in hosts}
        surveys = [
            Survey(host, Engine("docker", f"Docker/{number}", "1.41", "streamlocal", f"ID:{number}", f"key {number}"),
                   NOW_NS, 0.1, clean(number), 0.5)
            for number, host in enumerate(hosts)
        ]  # fmt: skip
        rows = host_reports(plan_fleet(surveys, policies), {}, {})
        del surveys
        gc.collect()
        left = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(rows) == HOSTS
    assert left / HOSTS <= MOST_BYTES
