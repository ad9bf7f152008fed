"""What a clean host leaves in memory once it is planned: ten thousand of them must fit."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from uuid import NAMESPACE_DNS, uuid5

import pytest

from fleetsweep.engine.decode import parse_list
from fleetsweep.inventory import load
from fleetsweep.model.container import SECOND, Container
from fleetsweep.model.policy_flags import Flags
from fleetsweep.model.survey import Engine, Survey
from fleetsweep.policy.guards import plan_fleet
from fleetsweep.policy.settings import resolve
from fleetsweep.sweep.phases import host_reports
from tests.report.build import NOW_NS

HOSTS = 150
HOST_BYTES = 2048

JOB_BYTES = 768
"""What the report tells of a container that a selector matches, and that is kept."""


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


def with_two_jobs(number: int) -> tuple[Container, ...]:
    """Return containers as an engine lists them, among them those of two jobs that run."""
    jobs = [
        {
            "Id": f"{number:032x}{index:032x}",
            "Names": [f"/ws-{uuid5(NAMESPACE_DNS, f'{number}-{index}')}"],
            "Image": "molecule-local/workspace-template-python:1.42",
            "ImageID": f"sha256:{7:064x}",
            "State": "running",
            "Created": NOW_NS // SECOND - 600,
            "Labels": {"org.opencontainers.image.version": "24.04", "ci.job": f"job-{number}-{index}"},
            "HostConfig": {"NetworkMode": "default"},
        }
        for index in range(100, 102)
    ]
    return (*clean(number), *parse_list(json.loads(json.dumps(jobs))))


@pytest.mark.parametrize(("containers", "most"), [(clean, HOST_BYTES), (with_two_jobs, HOST_BYTES + 2 * JOB_BYTES)])
def test_a_host_without_leaks_leaves_at_most_2_kib_and_768_bytes_a_job(
    tmp_path: Path, containers: Callable[[int], tuple[Container, ...]], most: int
) -> None:
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
                   NOW_NS, 0.1, containers(number), 0.5)
            for number, host in enumerate(hosts)
        ]  # fmt: skip
        rows = host_reports(plan_fleet(surveys, policies), {}, {})
        del surveys
        gc.collect()
        left = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(rows) == HOSTS
    assert left / HOSTS <= most
