"""``--rerun``: only hosts that had the status in that run, and only those that are selected now."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.exit_codes import OK
from tests.cli.conftest import Command
from tests.report.build import guarded, lost, surveyed
from tests.store.test_queries import LOST, ended, killed


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Two runs over three hosts; in the newer one, two were unreachable. Then a teardown, and a run that was killed."""
    state = tmp_path / "state"
    ended(state, "2026-a", surveyed("a"), guarded("b"), surveyed("c"))
    ended(state, "2026-b", lost("a"), surveyed("b"), lost("c"), code=3)
    ended(state, "2026-c", LOST, command="teardown", code=3)
    killed(state, "2026-d", None)
    (tmp_path / "inventory.ini").write_text("[x]\na\nb\n[y]\nc\n")
    return state


def listed(command: Command, capsys: pytest.CaptureFixture[str], state: Path, *words: str) -> list[str]:
    code = command("audit", "-i", "inventory.ini", "--state-dir", str(state), "--list-hosts", *words)
    assert code == OK
    return capsys.readouterr().out.split()[2:]


@pytest.mark.parametrize(
    ("words", "hosts"),
    [
        (["--rerun", "last:unreachable"], ["a", "c"]),
        (["--rerun", "2026-b:unreachable"], ["a", "c"]),
        (["--rerun", "2026-a:guarded"], ["b"]),
        (["--rerun", "last:unreachable", "--limit", "y"], ["c"]),
        (["--rerun", "last:unreachable", "--limit", "!c"], ["a"]),
        (["--rerun", "last:unreachable", "--host", "a"], ["a"]),
    ],
)
def test_it_narrows_what_is_selected(
    command: Command, capsys: pytest.CaptureFixture[str], state: Path, words: list[str], hosts: list[str]
) -> None:
    assert listed(command, capsys, state, *words) == hosts


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rerun", "last:failed"], "no host was failed in run 2026-b"),
        (["--rerun", "last:unreachable", "--limit", "b"], r"no selected host is one of \[a,c\]|a, c|a and c"),
        (["--rerun", "2026:unreachable"], "several runs' ids begin"),
        (["--rerun", "1999:unreachable"], "no run's id begins"),
        (["--rerun", "2026-d:failed"], "did not end"),
    ],
)
def test_an_empty_selection_is_refused(command: Command, state: Path, words: list[str], message: str) -> None:
    for job in (["audit"], ["sweep", "--yes"]):
        with pytest.raises(UsageError, match=message):
            command(*job, "-i", "inventory.ini", "--state-dir", str(state), *words)


def test_a_host_that_left_the_inventory_is_named(
    command: Command, capsys: pytest.CaptureFixture[str], state: Path, tmp_path: Path
) -> None:
    (tmp_path / "inventory.ini").write_text("a\n")
    command("audit", "-i", "inventory.ini", "--state-dir", str(state), "--list-hosts", "--rerun", "last:unreachable")
    assert re.search(r"not among the selected hosts: c \(unreachable in run 2026-b\)", capsys.readouterr().err)


def test_only_a_run_that_ended_and_looked_at_hosts_is_the_last(command: Command, state: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    killed(empty, "k", None)
    with pytest.raises(UsageError, match="no audit or sweep that ended"):
        command("audit", "-i", "inventory.ini", "--state-dir", str(empty), "--rerun", "last:failed")


def test_a_local_engine_is_run_again_if_it_was_unreachable(
    command: Command, local: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    gone = [local[0], local[1], local[2] + "x", *local[3:]]
    command("audit", *gone)
    status = next(iter(json_hosts(command, local, capsys)))["status"]
    capsys.readouterr()
    assert command("audit", *local, "--rerun", f"last:{status}", "--format", "json") == OK
    with pytest.raises(UsageError, match="no host was"):
        command("audit", *local, "--rerun", f"last:{status}")


def json_hosts(command: Command, local: list[str], capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    capsys.readouterr()
    command("show", *local[3:], "--format", "json")
    hosts: list[dict[str, str]] = json.loads(capsys.readouterr().out)["hosts"]
    return hosts
