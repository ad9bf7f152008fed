"""Completed words: hosts, groups and runs, quickly, and without a word on an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from fleetsweep.cli import cli
from fleetsweep.cli.completion import LIMIT_S
from tests.conftest import Run
from tests.lab.scripted_engine import ScriptedEngine
from tests.lab.workdir import Workdir, leaks

INVENTORY = "[ci]\nrunner-[1:2]\n[arm]\narm-1\n"


def completed(*words: str) -> list[str]:
    *before, begun = words
    return [item.value for item in BashComplete(cli, {}, "fleetsweep", "_X").get_completions(before, begun)]


@pytest.fixture
def inventory(tmp_path: Path) -> str:
    (tmp_path / "hosts.ini").write_text(INVENTORY)
    return str(tmp_path / "hosts.ini")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--host", "r"), ["runner-1", "runner-2"]),
        (("--host", "runner-2"), ["runner-2"]),
        (("--host", ""), ["runner-1", "runner-2", "arm-1"]),
        (("--limit", "c"), ["ci"]),
        (("--limit", "ci,!ar"), ["ci,!arm", "ci,!arm-1"]),
        (("-l", "all,&"), ["all,&all", "all,&ungrouped", "all,&ci", "all,&arm", "all,&runner-1"]),
    ],
)
def test_hosts_and_groups_come_from_the_inventory_that_is_named(
    inventory: str, words: tuple[str, ...], found: list[str]
) -> None:
    assert completed("sweep", "-i", inventory, *words)[:5] == found


def test_a_group_whose_name_a_shell_would_carry_out_is_not_offered(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {children: {'$(reboot)': {hosts: {a: null}}, good: {}}}\n")
    assert completed("audit", "-i", str(tmp_path / "hosts.yml"), "--limit", "") == ["all", "ungrouped", "good", "a"]


def test_without_one_they_come_from_the_environments_inventory(inventory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEETSWEEP_INVENTORY", inventory)
    assert completed("audit", "--host", "a") == ["arm-1"]
    assert completed("history", "--host", "a") == ["arm-1"]


def test_no_program_is_started_and_the_other_sources_are_read(
    inventory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here" / "inventory"
    here.mkdir(parents=True)
    program = here / "fleet.py"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    program.chmod(0o755)
    (here / "cloud.yml").write_text("plugin: constructed\n")
    (here / "hosts").write_text("box-1\n")
    monkeypatch.chdir(tmp_path / "here")
    assert completed("audit", "--host", "") == ["box-1"]
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("text", [None, "[ci\n", "plugin: [\n"])
def test_an_inventory_that_cannot_be_read_completes_nothing_and_prints_nothing(
    tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "x.ini"
    if text is not None:
        path.write_text(text)
    words = ["fleetsweep", "audit", "-i", str(path), "--host", "r"]
    environment = {
        **os.environ,
        "_FLEETSWEEP_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": "5",
    }
    program = Path(sys.executable).with_name("fleetsweep")
    done = subprocess.run([program], env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_a_source_that_never_ends_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleetsweep.cli.completion.LIMIT_S", LIMIT_S / 20)
    os.mkfifo(tmp_path / "hosts")
    writer = os.open(tmp_path / "hosts", os.O_RDWR)
    try:
        assert completed("audit", "-i", str(tmp_path / "hosts"), "--host", "") == []
    finally:
        os.close(writer)


def test_show_completes_the_ids_of_past_runs(run: Run, workdir: Workdir) -> None:
    engine = ScriptedEngine(leaks(1))
    with engine.serve(workdir.socket) as url:
        assert run(*workdir.sweep(url)).returncode == 0
    options = ["--state-dir", str(workdir.state)]
    (found,) = completed("show", *options, "2")
    assert len(found) > 20
    assert completed("show", *options, "x") == []
    assert completed("show", "--state-dir", "/nonexistent", "2") == []
