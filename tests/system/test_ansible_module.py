"""The Ansible module of contrib/, in playbooks that ansible-core runs on real boxes."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleetsweep.exit_codes import MEANINGS
from tests.lab import Lab, Spec

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2] / "contrib"
MODULE = "fleetsweep.runners.fleetsweep_sweep"
BIN = Path(sys.executable).parent
OLD = timedelta(days=2)


def ansible(program: str, *words: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / program), *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=home,
        timeout=100,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "FLEETSWEEP_"))},
            "HOME": str(home),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        },
    )


def play(home: Path, tasks: Sequence[dict[str, Any]], *words: str) -> tuple[list[dict[str, Any]], str]:
    """Run the module once a task; return the results and the output."""
    steps: list[dict[str, Any]] = []
    for number, task in enumerate(tasks):
        mode: dict[str, Any] = {key: task.pop(key) for key in ("check_mode", "diff") if key in task}
        steps.append({MODULE: task, "register": f"r{number}", "ignore_errors": True, **mode})
    names = ", ".join(f"r{number}" for number in range(len(tasks)))
    copy = {"content": f"{{{{ [{names}] | to_json }}}}", "dest": str(home / "results.json")}
    steps.append({"ansible.builtin.copy": copy, "check_mode": False, "diff": False})
    book = home / "play.yml"
    book.write_text(
        yaml.safe_dump([{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": steps}])
    )
    done = ansible("ansible-playbook", str(book), *words, home=home)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((home / "results.json").read_text()), done.stdout


def test_a_check_shows_what_a_run_removes_and_a_second_run_changes_nothing(lab: Lab, tmp_path: Path) -> None:
    for box in lab.boxes:
        box.seed([Spec("ws-old", age=OLD), Spec("db", image="postgres:16", age=OLD)])
    inventory, *others = lab.options()[1:]
    sweep: dict[str, Any] = {"inventory": [inventory], "arguments": others, "limit": ["runner-1,runner-2"]}
    tasks = [{**sweep, "check_mode": True, "diff": True}, {**sweep}, {**sweep}, {**sweep, "check_mode": True}]
    (checked, swept, again, after), shown = play(tmp_path, tasks, "--diff")
    assert [each["changed"] for each in (checked, swept, again, after)] == [True, True, False, False]
    expected = [("runner-1", "ws-old"), ("runner-2", "ws-old")]
    assert [(each["host"], each["name"]) for each in checked["removed"]] == expected
    assert [(each["host"], each["name"]) for each in swept["removed"]] == expected
    assert [each["id"] for each in checked["removed"]] == [each["id"] for each in swept["removed"]]
    assert checked["report"]["dry_run"] is True
    assert (checked["stale"], swept["stale"], again["removed"]) == ([], [], [])
    assert swept["hosts"]["runner-1"] == {"status": "ok", "error": None, "guard": None}
    assert f"-runner-1: ws-old {swept['removed'][0]['id'][:12]}\n" in shown
    assert [box.names() for box in lab.boxes] == [{"db"}, {"db"}, {"ws-old", "db"}]


def test_it_fails_with_every_exit_code_but_0_and_still_returns_the_results(lab: Lab, tmp_path: Path) -> None:
    box, down, _ = lab.boxes
    box.seed([Spec("ws-1", age=OLD), Spec("ws-2", age=OLD)])
    down.stop_sshd()
    inventory, *others = lab.options()[1:]
    sweep: dict[str, Any] = {"inventory": [inventory], "arguments": others}
    try:
        results, _ = play(
            tmp_path,
            [
                {**sweep, "hosts": ["runner-1"], "cap": "1"},
                {**sweep, "limit": ["nobody"]},
                {**sweep, "limit": ["runner-1,runner-2"], "check_mode": True},
                {**sweep, "arguments": [*others, "--output=x"]},
                {**sweep, "executable": "/nonexistent"},
            ],
        )
    finally:
        down.start_sshd()
    guarded, usage, unreachable, refused, missing = results
    assert all(each["failed"] and not each["changed"] for each in (guarded, usage, refused, missing))
    assert (guarded["rc"], guarded["removed"], len(guarded["stale"])) == (4, [], 2)
    assert guarded["hosts"]["runner-1"]["guard"]["name"] == "cap"
    assert "a guard tripped" in guarded["msg"]
    assert usage["rc"] == 2
    assert "nobody" in usage["msg"]
    assert (unreachable["rc"], unreachable["failed"]) == (3, True)
    assert unreachable["hosts"]["runner-2"]["status"] == "unreachable"
    assert {each["name"] for each in unreachable["removed"]} == {"ws-1", "ws-2"}
    assert "is set by the module" in refused["msg"]
    assert box.names() == {"ws-1", "ws-2"}


def test_its_documentation_is_complete_and_the_collection_can_be_built(tmp_path: Path) -> None:
    shown = ansible("ansible-doc", "--json", "-t", "module", MODULE, home=tmp_path)
    assert shown.returncode == 0, shown.stderr
    (found,) = json.loads(shown.stdout).values()
    source = ROOT / "ansible_collections" / "fleetsweep" / "runners" / "plugins" / "modules" / "fleetsweep_sweep.py"
    tree = ast.parse(source.read_text())
    meanings = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "MEANINGS"
    )
    assert ast.literal_eval(meanings) == {code: text for code, text in MEANINGS.items() if code}
    assert found["doc"]["attributes"]["diff_mode"]["support"] == "full"
    assert set(found["return"]) == {"removed", "stale", "hosts", "rc", "report"}
    built = ansible("ansible-galaxy", "collection", "build", str(source.parents[2]), home=tmp_path)
    assert built.returncode == 0, built.stderr
    assert len(list(tmp_path.glob("fleetsweep-runners-*.tar.gz"))) == 1
