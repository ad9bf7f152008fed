"""What past runs saw and did, used again: which hosts to run again for, and why a container went."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.lab import Lab, Spec
from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir

DAYS = timedelta(days=2)


@pytest.mark.lab
def test_a_sweep_is_run_again_for_the_hosts_that_were_unreachable_and_its_past_can_be_read(
    lab: Lab, run: Run, tmp_path: Path
) -> None:
    state = ("--state-dir", str(tmp_path / "state"))
    owner = {"fleetsweep.owner": "ann"}
    ids = lab.box("runner-2").seed([Spec("ws-left", age=DAYS, labels=owner)])
    lab.box("runner-1").seed([Spec("ws-first", age=DAYS)])
    lab.box("runner-2").stop_sshd()
    try:
        first = run("sweep", *lab.options(), *state, "--yes", "--format", "json")
    finally:
        lab.box("runner-2").start_sshd()
    assert first.returncode == 3, first.stderr
    lab.box("runner-1").seed([Spec("ws-second", age=DAYS)])
    again = ("sweep", *lab.options(), *state, "--yes", "--format", "json", "--rerun", "last:unreachable")
    done = run(*again)
    assert done.returncode == 0, done.stderr
    assert [host["host"] for host in json.loads(done.stdout)["hosts"]] == ["runner-2"]
    assert lab.box("runner-1").names() == {"ws-second"}
    refused = run(*again)
    assert refused.returncode == 2
    assert "no host was unreachable" in refused.stderr

    for text in ("ws-left", ids["ws-left"][:12]):
        past = json.loads(run("explain", "--past", text, *state, "--format", "json").stdout)
        assert (past["id"], past["hosts"], past["leaks"][0]["ended_as"]) == (ids["ws-left"], ["runner-2"], "removed")
        assert past["leaks"][0]["attributes"] == past["removals"][0]["attributes"] == owner
    by_host = json.loads(run("history", "--by", "host", *state, "--format", "json").stdout)["groups"]
    assert {group["key"]: (group["runs"], group["leaks"]) for group in by_host} == {
        "runner-1": (1, 1),
        "runner-2": (1, 1),
        "runner-3": (1, 0),
    }


def test_a_secret_in_a_label_is_in_no_output_and_not_in_the_journal(workdir: Workdir, run: Run) -> None:
    secret = "hunter2-5ecret"  # noqa: S105 - planted
    labels = {
        "org.opencontainers.image.source": f"https://ann:{secret}@git.example.com/x",
        "com.docker.compose.project": "shop",
        "ci.token": secret,
        "other": secret,
    }
    state = ("--state-dir", str(workdir.state))
    engine = ScriptedEngine([ScriptedContainer("a" * 64, "ws-1", labels=labels)])
    with engine.serve(workdir.socket) as url:
        done = run(*workdir.sweep(url, "--attribute", "ci.token", "--attribute", "org.opencontainers.image.source"))
    assert done.returncode == 0, done.stderr
    shown = [
        run("show", *state).stdout,
        run("show", *state, "--format", "json").stdout,
        run("explain", "--past", "ws-1", *state).stdout,
        run("explain", "--past", "ws-1", *state, "--format", "json").stdout,
        *(run("history", "--by", f"label:{key}", *state, "--format", "json").stdout for key in labels),
    ]
    assert "git.example.com" in shown[0]
    assert all(shown)
    assert [text for text in (done.stdout, *shown) if secret in text] == []
    assert [path for path in workdir.state.iterdir() if secret.encode() in path.read_bytes()] == []
