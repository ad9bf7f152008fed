"""What containers share on a real Podman: namespaces and pods."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.conftest import Run
from tests.lab.podman import Podman
from tests.lab.process import wait_for
from tests.lab.workdir import Workdir

IMAGE = "localhost/molecule-local/workspace-template-x:1"
AGES = ["--max-age", "4s", "--job-timeout", "1s"]

Told = dict[str, tuple[str, str | None, str | None]]


@pytest.fixture
def podman(workdir: Workdir) -> Iterator[Podman]:
    with Podman(workdir.directory / "p") as found:
        found.import_image("molecule-local/workspace-template-x:1")
        yield found


def told_of(output: str) -> Told:
    (row,) = json.loads(output)["hosts"]
    return {each["name"]: (each["reason"], each["outcome"], each["error"]) for each in row["decisions"]}


def test_one_that_another_lives_on_stays_and_both_go_when_both_are_old(
    run: Run, podman: Podman, workdir: Workdir
) -> None:
    podman.run("ws-owner", IMAGE)
    podman.run("ws-other", IMAGE)
    podman.run("side", IMAGE, "--network", "container:ws-owner")
    at = [*workdir.local(f"unix://{podman.socket}"), *AGES, "--format", "json"]
    mine = [*at, "--name", "^ws-"]

    def reason(name: str) -> str:
        return told_of(run("audit", *mine).stdout)[name][0]

    wait_for(lambda: reason("ws-other") == "stale" and reason("ws-owner") == "in-use", "the containers growing old")
    done = run("sweep", *mine, "--yes")
    told = told_of(done.stdout)
    assert done.returncode == 0, done.stdout
    assert told["ws-other"] == ("stale", "removed", None)
    assert told["ws-owner"][:2] == ("in-use", None)
    assert (told["ws-owner"][2] or "").startswith("side (")
    assert podman.names() == {"ws-owner", "side"}
    done = run("sweep", *at, "--name", "^(ws-|side)", "--yes")
    assert done.returncode == 0, done.stdout
    assert podman.names() == set()


def test_a_pods_infra_container_is_the_pods_and_its_members_can_go(run: Run, podman: Podman, workdir: Workdir) -> None:
    podman.make_pod("ws-pod", IMAGE, infra="ws-infra", members=["ws-member"])
    at = [*workdir.local(f"unix://{podman.socket}"), *AGES, "--format", "json"]
    wait_for(lambda: told_of(run("audit", *at).stdout)["ws-member"][0] == "stale", "the member growing old")
    done = run("sweep", *at, "--yes")
    assert done.returncode == 0, done.stdout
    told = told_of(done.stdout)
    assert told["ws-member"] == ("stale", "removed", None)
    reason, outcome, error = told["ws-infra"]
    assert (reason, outcome) == ("managed", None)
    assert "podman pod rm ws-pod" in (error or "")
    assert podman.names() == {"ws-infra"}
    podman.paste((error or "").partition("of pod ws-pod: ")[2])
    assert podman.names() == set()
