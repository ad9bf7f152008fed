"""Decisions do not depend on the controller's environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

ENVIRONMENTS = (
    {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"},
    {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "1", "HOME": "/nonexistent"},
    {"TZ": "XYZ-23:59:59", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "random", "DOCKER_HOST": "tcp://x:1"},
)


def test_time_zone_locale_and_hash_seed_change_no_decision() -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.generators.sample"],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "PYTHONIOENCODING": "utf-8", **environment},
        )
        for environment in ENVIRONMENTS
    ]
    found = [child.communicate(timeout=60)[0] for child in children]
    assert [child.returncode for child in children] == [0] * len(children)
    assert found[0].count(b"reason=<Reason.STALE") > 100
    assert len(set(found)) == 1
