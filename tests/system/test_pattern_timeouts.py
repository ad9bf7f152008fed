"""A name on which a pattern backtracks affects its own container only, and no deadline."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine

ENDLESS = "ws-" + "-" * 1_000 + "tmp-"
PATTERN = r"^ws-(-+)(-+)(-+)(-+)\4\3\2\1?tmp$"


@pytest.mark.parametrize("command", ["audit", "sweep"])
def test_an_endless_name_is_kept_unreadable_and_the_others_are_swept(tmp_path: Path, command: str) -> None:
    engine = ScriptedEngine(
        [ScriptedContainer("a" * 64, name=ENDLESS), ScriptedContainer("b" * 64, name="ws---------tmp")]
    )
    with engine.serve(tmp_path / "docker.sock"):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "fleetsweep", command, "--local", f"--engine=unix://{tmp_path}/docker.sock"),
                *(f"--state-dir={tmp_path}/state", f"--name={PATTERN}", "--format=json", "--host-timeout=30s"),
                *(["--yes"] if command == "sweep" else []),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 3, done.stderr
    decisions = {item["name"]: item for item in json.loads(done.stdout)["hosts"][0]["decisions"]}
    assert decisions["ws---------tmp"]["reason"] == "stale"
    odd = decisions[ENDLESS]
    assert (odd["verdict"], odd["reason"]) == ("keep", "unreadable")
    assert "took too long" in odd["error"]
    assert ("a" * 64) in engine.containers
    assert (("b" * 64) in engine.containers) is (command == "audit")
