"""Inventory scripts: bounded in time and output, and never run through a shell."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fleetsweep.errors import InventoryError
from fleetsweep.inventory import dynamic as programs
from fleetsweep.inventory import load
from fleetsweep.inventory.files import Warnings
from fleetsweep.inventory.sources import read_sources
from tests.inventory.ansible_process import Ansible
from tests.inventory.comparison import assert_agreed
from tests.lab.process import is_running, wait_for


def program(root: Path, body: str, name: str = "inv") -> str:
    path = root / name
    path.write_text(f"#!{sys.executable}\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_a_script_that_hangs_is_killed_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "SCRIPT_SECONDS", 3.0)
    body = "import os, subprocess, sys, time\nprint('thinking', file=sys.stderr, flush=True)\n"
    body += "open('children', 'w').write(f\"{os.getpid()} {subprocess.Popen(['sleep', '60']).pid}\")\ntime.sleep(60)"
    with pytest.raises(InventoryError, match="inv: did not finish within 3 s: 'thinking'"):
        load([program(tmp_path, body)], cwd=tmp_path)
    pids = [int(pid) for pid in (tmp_path / "children").read_text().split()]
    # The kernel ends a killed process in its own time.
    wait_for(lambda: not any(map(is_running, pids)), "the script and its child being gone")


def test_a_script_with_endless_output_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "OUTPUT_LIMIT", 1024 * 1024)
    with pytest.raises(InventoryError, match="more than 1 MiB"):
        load([program(tmp_path, "while True: print('x' * 65536)")], cwd=tmp_path)


def test_only_the_end_of_long_error_output_is_kept(tmp_path: Path) -> None:
    body = "import sys\nfor _ in range(2000): sys.stderr.write('x' * 1000)\nsys.stderr.write('at last')\nsys.exit(4)"
    with pytest.raises(InventoryError, match=r"exited with status 4: 'x+at last'$") as caught:
        load([program(tmp_path, body)], cwd=tmp_path)
    assert len(str(caught.value)) < 3000


def test_a_script_gets_no_input_the_working_directory_and_no_shell(tmp_path: Path) -> None:
    body = "import json, os, sys\ngot = [sys.stdin.read(), os.getcwd(), sys.argv[1:]]\n"
    body += "print(json.dumps({'g': {'hosts': ['a'], 'vars': {'got': got}}, '_meta': {'hostvars': {}}}))"
    (tmp_path / "odd $(name); x").mkdir()
    work = tmp_path / "work"
    work.mkdir()
    graph = read_sources([program(tmp_path / "odd $(name); x", body)], cwd=work, warnings=Warnings())
    assert graph.variables_of("a")[0]["got"] == ["", str(work), ["--list"]]


def test_the_calls_for_each_host_share_one_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "HOSTS_SECONDS", 0.0)
    with pytest.raises(InventoryError, match="return _meta from --list"):
        load([program(tmp_path, 'print(\'{"g": ["a"]}\')')], cwd=tmp_path)


def test_a_text_with_the_executable_bit_is_read_as_ansible_reads_it(ansible: Ansible, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("[web]\na v=1\n")
    (tmp_path / "hosts").chmod(0o755)
    assert_agreed(ansible, [str(tmp_path / "hosts")], tmp_path)
