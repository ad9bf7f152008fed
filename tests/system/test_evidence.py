"""What a sweep keeps of a container on a real engine, and that no secret of the container is in it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.conftest import Run
from tests.lab import Box, Lab
from tests.lab.box import WORKSPACE
from tests.lab.process import wait_for

CANARY = "c4n4ryZq8vQ1"
SCRIPT = (
    f'echo "first"; echo "using $DB_PASSWORD" >&2; echo "token={CANARY}-2"; echo "https://u:{CANARY}@example.com/";'
    ' echo "last"; exec sleep 1000'
)


def leak(box: Box, name: str, *, tty: bool) -> None:
    """Make an old container with secrets in its variables, labels, command and log."""
    with box.api() as api:
        made = api.create_container(
            WORKSPACE,
            ["/bin/sh", "-c", SCRIPT, "--password", f"{CANARY}-3"],
            name=name,
            tty=tty,
            environment={"DB_PASSWORD": CANARY},
            labels={"ci.token": f"{CANARY}-4", "fleetsweep.owner": "team-a"},
            host_config=api.create_host_config(network_mode="none"),
        )
        api.start(made["Id"])
        wait_for(lambda: b"last" in api.logs(name), "the container's log")
    box.grow_old([name], timedelta(days=2))


@pytest.mark.parametrize("tty", [False, True])
def test_show_brings_back_why_a_container_went_and_what_it_was_without_its_secrets(
    lab: Lab, box: Box, run: Run, tty: bool
) -> None:
    leak(box, "ws-evidence", tty=tty)
    state = lab.directory / f"evidence-{tty}"
    words = [*lab.options(), "--host", "runner-1", "--state-dir", str(state)]
    done = run("sweep", *words, "--yes", "--logs", "5", "--require-evidence", "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    (decision,) = json.loads(done.stdout)["hosts"][0]["decisions"]
    assert (decision["outcome"], decision["attributes"]) == ("removed", {"fleetsweep.owner": "team-a"})
    shown = run("show", "ws-evidence", "--state-dir", str(state), "--format", "json")
    assert shown.returncode == 0, shown.stderr
    found = json.loads(shown.stdout)
    assert (found["outcome"], found["reason"], found["image"]) == ("removed", "stale", WORKSPACE)
    assert found["inspect"]["Config"]["Labels"] == {"ci.token": "********", "fleetsweep.owner": "team-a"}
    # The engine reads the two streams by themselves, so their order may differ from the program's.
    streams = sorted(line["stream"] for line in found["log"])
    assert streams == (["tty"] * 5 if tty else ["stderr", *["stdout"] * 4])
    assert sorted(line["text"].partition("Z ")[2] for line in found["log"]) == [
        "first",
        "https://********@example.com/",
        "last",
        "token=********",
        "using ********",
    ]
    text = run("show", decision["id"][:12], "--state-dir", str(state))
    kept = b"".join(path.read_bytes() for path in state.iterdir())
    for place in (kept, done.stdout.encode(), shown.stdout.encode(), text.stdout.encode()):
        assert CANARY.encode() not in place
