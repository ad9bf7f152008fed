"""A plan saved by an audit and executed later: exactly its set, less what has changed, or nothing at all."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fleetsweep.model.container import SECOND
from fleetsweep.store.artifact import _digest
from tests.conftest import Run
from tests.lab import Box, Lab, Spec
from tests.lab.fleetsweep_process import intents
from tests.lab.process import wait_for
from tests.lab.scripted_engine import ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir, deletes, leaks

DAYS = timedelta(days=2)


def rows(output: str) -> dict[str, dict[str, Any]]:
    return {row["host"]: row for row in json.loads(output)["hosts"]}


def outcomes(row: dict[str, Any]) -> dict[str, str]:
    return {item["id"]: item["outcome"] for item in row["decisions"] if item.get("outcome")}


def connections(lab: Lab) -> list[int]:
    return [box.sshd_log.count("Connection from") for box in lab.boxes]


# Carried out on real boxes


@pytest.mark.lab
def test_a_plan_removes_its_own_set_less_what_has_changed_since(lab: Lab, run: Run, tmp_path: Path) -> None:
    box = lab.box("runner-1")
    fates = {
        "ws-untouched": "removed",
        "ws-restarted": "changed",
        "ws-renamed": "changed",
        "ws-removed": "gone",
        "ws-replaced": "gone",
        "ws-replaced-by-a-young-one": "gone",
    }
    ids = box.seed([Spec(name, age=DAYS) for name in fates])
    plan = tmp_path / "plan.json"
    looked = run("audit", *lab.options(), "--save-plan", str(plan), "--format", "json")
    assert looked.returncode == 0, looked.stderr
    assert json.loads(looked.stdout)["totals"]["stale"] == len(fates)

    with box.api() as api:
        api.restart(ids["ws-restarted"], timeout=0)
        api.rename(ids["ws-renamed"], "ws-renamed-since")
        for name in ("ws-removed", "ws-replaced", "ws-replaced-by-a-young-one"):
            api.remove_container(ids[name], force=True)
    newcomers = box.seed([Spec("ws-replaced", age=DAYS), Spec("ws-replaced-by-a-young-one"), Spec("ws-late", age=DAYS)])
    before = {name: inspected(box, container_id) for name, container_id in newcomers.items()}

    done = run("sweep", *lab.options(), "--plan", str(plan), "--yes", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert outcomes(rows(done.stdout)["runner-1"]) == {ids[name]: fate for name, fate in fates.items()}
    totals = json.loads(done.stdout)["totals"]
    assert (totals["removed"], totals["changed"], totals["gone"]) == (1, 2, 3)
    assert (totals["failed_removals"], totals["unknown"]) == (0, 0)
    assert box.running() == {"ws-restarted", "ws-renamed-since", *newcomers}
    assert {name: inspected(box, container_id) for name, container_id in newcomers.items()} == before
    assert {row["container_id"]: row["outcome"] for row in intents(lab.state) if row["run"] == run_id(done.stdout)} == {
        ids[name]: fate for name, fate in fates.items()
    }


def inspected(box: Box, container_id: str) -> tuple[str, str]:
    """Which container it is, and since when it has run without a break."""
    with box.api() as api:
        found = api.inspect_container(container_id)
    return found["Id"], found["State"]["StartedAt"]


def run_id(output: str) -> str:
    return str(json.loads(output)["run_id"])


@pytest.mark.lab
def test_a_plan_is_carried_out_on_each_of_its_hosts_whose_guards_let_it(lab: Lab, run: Run, tmp_path: Path) -> None:
    for number, box in enumerate(lab.boxes, start=1):
        box.seed([Spec(f"ws-{number}-{each}", age=DAYS) for each in range(number)])
    plan = tmp_path / "plan.json"
    looked = run("sweep", *lab.options(), "--dry-run", "--cap", "2", "--save-plan", str(plan))
    assert looked.returncode == 4, looked.stderr
    assert [len(box.names()) for box in lab.boxes] == [1, 2, 3]
    lab.box("runner-1").seed([Spec("ws-late", age=DAYS)])
    done = run("sweep", *lab.options(), "--plan", str(plan), "--yes", "--format", "json")
    assert done.returncode == 4, done.stderr
    found = rows(done.stdout)
    assert [(name, row["status"], row["removed"]) for name, row in found.items()] == [
        ("runner-1", "ok", 1),
        ("runner-2", "ok", 2),
        ("runner-3", "guarded", 0),
    ]
    assert found["runner-3"]["guard"]["name"] == "cap"
    assert [box.names() for box in lab.boxes] == [{"ws-late"}, set(), {"ws-3-0", "ws-3-1", "ws-3-2"}]

    again = run("sweep", *lab.options(), "--plan", str(plan), "--yes", "--format", "json")
    totals = json.loads(again.stdout)["totals"]
    assert (again.returncode, totals["removed"], totals["gone"]) == (4, 0, 3)
    assert lab.box("runner-1").names() == {"ws-late"}


@pytest.mark.lab
def test_a_host_that_could_not_be_looked_at_is_still_reported_when_the_plan_is_carried_out(
    lab: Lab, run: Run, tmp_path: Path
) -> None:
    lab.box("runner-1").seed([Spec("ws-1", age=DAYS)])
    plan = tmp_path / "plan.json"
    lab.box("runner-2").stop_sshd()
    try:
        assert run("audit", *lab.options(), "--save-plan", str(plan)).returncode == 3
    finally:
        lab.box("runner-2").start_sshd()
    done = run("sweep", *lab.options(), "--plan", str(plan), "--yes", "--format", "json")
    assert done.returncode == 3, done.stderr
    assert [(name, row["status"]) for name, row in rows(done.stdout).items()] == [
        ("runner-1", "ok"),
        ("runner-2", "unreachable"),
        ("runner-3", "ok"),
    ]
    assert lab.box("runner-1").names() == set()


# Refused before anybody is contacted


@dataclass(frozen=True, slots=True)
class Made:
    """A plan of the session's boxes, and its text."""

    text: str


@pytest.fixture(scope="module")
def made(session_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """One good plan, of three hosts and one stale container."""
    import subprocess
    import sys

    box = session_lab.box("runner-1")
    box.seed([Spec("ws-planned", age=DAYS)])
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    command = [sys.executable, "-m", "fleetsweep", "audit", *session_lab.options(), "--save-plan", str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    yield Made(path.read_text())
    box.clear()


def edited(text: str, change: Callable[[dict[str, Any]], object]) -> str:
    """The plan as somebody would leave it who changed it by a program, and kept its layout."""
    document = json.loads(text)
    change(document)
    return json.dumps(document, indent=1) + "\n"


def planned(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = next(row["decisions"] for row in document["hosts"] if row["host"] == "runner-1")
    return found


CHANGES: dict[str, Callable[[str], str]] = {
    "empty": lambda text: "",
    "no JSON": lambda text: "remove everything\n",
    "another JSON document": lambda text: "[]\n",
    "a report in its place": lambda text: '{"schema": "fleetsweep.report/1", "hosts": []}\n',
    "cut in half": lambda text: text[: len(text) // 2],
    "without its last brace": lambda text: text.rstrip().removesuffix("}"),
    "another schema": lambda text: text.replace("fleetsweep.plan/2", "fleetsweep.plan/1"),
    "another name": lambda text: text.replace("ws-planned", "ws-plotted"),
    "another id": lambda text: edited(text, lambda plan: planned(plan)[0].update(id="f" * 64)),
    "one container more": lambda text: edited(
        text, lambda plan: planned(plan).append({**planned(plan)[0], "id": "f" * 64})
    ),
    "one container fewer": lambda text: edited(text, lambda plan: planned(plan).clear()),
    "one host fewer": lambda text: edited(text, lambda plan: plan["hosts"].pop()),
    "younger": lambda text: edited(text, lambda plan: plan.update(created_ns=plan["created_ns"] + 10**9)),
    "without its digest": lambda text: edited(text, lambda plan: plan.pop("digest")),
    "with an empty digest": lambda text: edited(text, lambda plan: plan.update(digest="")),
    "a key twice": lambda text: text.replace('"hosts":', '"hosts": [],\n "hosts":', 1),
}


@pytest.mark.lab
@pytest.mark.parametrize("change", CHANGES)
def test_a_plan_that_was_damaged_or_changed_contacts_no_host(
    session_lab: Lab, made: Made, run: Run, tmp_path: Path, change: str
) -> None:
    text = CHANGES[change](made.text)
    assert text != made.text
    refused(session_lab, run, write(tmp_path, text))


def write(directory: Path, text: str) -> Path:
    path = directory / "plan.json"
    path.write_text(text)
    path.chmod(0o600)
    return path


def refused(lab: Lab, run: Run, plan: Path, *words: str) -> str:
    """Have the plan refused, and answer why."""
    before = connections(lab)
    done = run("sweep", *lab.options(), "--plan", str(plan), "--yes", *words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert connections(lab) == before
    return done.stderr


@pytest.mark.lab
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_plan_that_others_may_write_contacts_no_host(
    session_lab: Lab, made: Made, run: Run, tmp_path: Path, mode: int
) -> None:
    plan = write(tmp_path, made.text)
    plan.chmod(mode)
    assert "chmod" in refused(session_lab, run, plan)


@pytest.mark.lab
def test_a_plan_that_belongs_to_another_user_or_is_no_file_contacts_no_host(
    session_lab: Lab, made: Made, run: Run, tmp_path: Path
) -> None:
    plan = write(tmp_path, made.text)
    os.chown(plan, 65534, 65534)
    refused(session_lab, run, plan)
    refused(session_lab, run, tmp_path / "nowhere.json")
    refused(session_lab, run, tmp_path)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    refused(session_lab, run, fifo)


@pytest.mark.lab
@pytest.mark.parametrize(
    "words",
    [
        ("--max-age", "4h"),
        ("--cap", "5"),
        ("--name", "^job-"),
        ("--fleet-cap", "50%"),
        ("--keep-label", "mine"),
        ("--max-lifetime", "3d"),
    ],
)
def test_other_policy_flags_than_the_plans_contact_no_host(
    session_lab: Lab, made: Made, run: Run, tmp_path: Path, words: tuple[str, str]
) -> None:
    refused(session_lab, run, write(tmp_path, made.text), *words)


@pytest.mark.lab
def test_a_plan_for_a_host_that_is_not_selected_contacts_no_host(
    session_lab: Lab, made: Made, run: Run, tmp_path: Path
) -> None:
    assert "runner-" in refused(session_lab, run, write(tmp_path, made.text), "--host", "runner-1")


@pytest.mark.lab
def test_a_plan_is_refused_once_it_is_older_than_it_may_be(
    session_lab: Lab, made: Made, run: Run, tmp_path: Path
) -> None:
    created = json.loads(made.text)["created_ns"] / 1e9
    wait_for(lambda: time.time() > created + 2.1, "the plan being two seconds old")
    why = refused(session_lab, run, write(tmp_path, made.text), "--plan-ttl", "1s")
    assert "--plan-ttl" in why


@pytest.mark.lab
def test_a_plan_for_a_host_that_has_moved_since_contacts_no_host(
    session_lab: Lab, made: Made, run: Run, tmp_path: Path
) -> None:
    moved = tmp_path / "inventory.yml"
    text = session_lab.inventory.read_text()
    ports = [f"ansible_port: {session_lab.box(name).port}" for name in ("runner-1", "runner-2")]
    moved.write_text(text.replace(ports[0], "X").replace(ports[1], ports[0]).replace("X", ports[1]))
    before = connections(session_lab)
    words = [*session_lab.options()[2:], "-i", str(moved), "--plan", str(write(tmp_path, made.text)), "--yes"]
    done = run("sweep", *words)
    assert done.returncode == 2, done.stdout
    assert connections(session_lab) == before


@pytest.mark.lab
def test_a_good_plan_without_a_terminal_or_yes_contacts_no_host(
    session_lab: Lab, made: Made, run: Run, tmp_path: Path
) -> None:
    before = connections(session_lab)
    done = run("sweep", *session_lab.options(), "--plan", str(write(tmp_path, made.text)))
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert connections(session_lab) == before


@pytest.mark.lab
@pytest.mark.parametrize("kind", ["notes", "empty", "link", "directory", "no such directory"])
def test_a_plan_is_never_saved_over_what_is_not_a_plan(
    session_lab: Lab, made: Made, run: Run, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "file"
    if kind == "notes":
        path.write_text("precious")
    elif kind == "empty":
        path.touch()
    elif kind == "link":
        path.symlink_to(write(tmp_path, made.text))
    elif kind == "directory":
        path.mkdir()
    else:
        path = path / "plan.json"
    before = connections(session_lab)
    for command in (("audit",), ("sweep", "--dry-run")):
        done = run(*command, *session_lab.options(), "--save-plan", str(path))
        assert done.returncode == 2, done.stdout
        assert str(path.parent) in done.stderr
    assert connections(session_lab) == before
    assert not path.is_file() or path.read_text() in {"precious", "", made.text}
    assert path.is_symlink() is (kind == "link")


# What a plan is, with an engine that tells what it was asked


def save(workdir: Workdir, run: Run, url: str, path: Path, *words: str) -> dict[str, Any]:
    done = run("audit", *workdir.local(url), "--save-plan", str(path), *words)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def test_a_saved_plan_is_private_replaces_an_older_one_and_holds_no_secret(workdir: Workdir, run: Run) -> None:
    secret = {"token": "hunter2", "fleetsweep.example": "hunter2"}
    engine = ScriptedEngine([ScriptedContainer("a" * 64, labels=secret)])
    path = workdir.directory / "plan.json"
    umask = os.umask(0)
    try:
        with engine.serve(workdir.socket) as url:
            first = save(workdir, run, url, path)
            engine.containers.clear()
            second = save(workdir, run, url, path)
    finally:
        os.umask(umask)
    assert first["schema"] == second["schema"] == "fleetsweep.plan/2"
    assert first["digest"] != second["digest"]
    assert "hunter2" not in json.dumps(first)
    assert "a" * 64 in json.dumps(first)
    assert "a" * 64 not in json.dumps(second)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in workdir.directory.iterdir() if "plan" in entry.name] == ["plan.json"]
    assert {method for method, _ in engine.requests} == {"GET"}


def test_carrying_out_a_plan_looks_at_its_containers_alone(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine(leaks(1))
    (container_id,) = engine.containers
    path = workdir.directory / "plan.json"
    with engine.serve(workdir.socket) as url:
        save(workdir, run, url, path)
        engine.requests.clear()
        done = run(*workdir.sweep(url, "--plan", str(path)))
    assert done.returncode == 0, done.stderr
    assert [f"{method} {each.replace(container_id, 'ID')}" for method, each in engine.requests] == [
        "GET /containers/json",
        "GET /info",
        "GET /containers/ID/json",
        "DELETE /containers/ID",
        "GET /containers/json",
    ]
    assert json.loads(done.stdout)["totals"]["removed"] == 1


def test_a_plans_own_policy_flags_hold_when_none_are_given_and_the_same_ones_may_be(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine(leaks(3))
    path = workdir.directory / "plan.json"
    flags = ["--max-age", "3h", "--cap", "5", "--name", "^ws-[01]$"]
    with engine.serve(workdir.socket) as url:
        save(workdir, run, url, path, *flags)
        same = run(*workdir.sweep(url, "--plan", str(path), "--dry-run", *flags))
        assert same.returncode == 0, same.stderr
        assert deletes(engine) == []
        done = run(*workdir.sweep(url, "--plan", str(path)))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["totals"]["removed"] == 2
    assert {container.name for container in engine.containers.values()} == {"ws-2"}


def test_a_container_that_is_protected_since_the_plan_was_made_lives(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine(leaks(2))
    kept, _ = engine.containers
    path = workdir.directory / "plan.json"
    with engine.serve(workdir.socket) as url:
        save(workdir, run, url, path)
        engine.containers[kept].labels = {"fleetsweep.keep": "true"}
        done = run(*workdir.sweep(url, "--plan", str(path)))
    assert done.returncode == 0, done.stderr
    assert outcomes(rows(done.stdout).popitem()[1])[kept] == "changed"
    assert set(engine.containers) == {kept}


def test_a_forged_plan_makes_no_young_container_old(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine(leaks(1))
    (container,) = engine.containers.values()
    path = workdir.directory / "plan.json"
    with engine.serve(workdir.socket) as url:
        save(workdir, run, url, path)
        container.age = timedelta(minutes=10)
        document = json.loads(path.read_text())
        (host,) = document["hosts"]
        (decision,) = host["decisions"]
        created_ns = int(engine.created(container).timestamp()) * SECOND
        decision.update(created_ns=created_ns, started_ns=created_ns)
        host["now_ns"] += 10 * 86_400 * SECOND
        del document["digest"]
        path.write_text(json.dumps({**document, "digest": _digest(document)}))
        done = run(*workdir.sweep(url, "--plan", str(path)))
    assert done.returncode == 0, done.stderr
    (item,) = json.loads(done.stdout)["hosts"][0]["decisions"]
    assert (item["outcome"], item["error"]) == ("changed", "it is young now")
    assert deletes(engine) == []


def test_a_plan_of_nothing_removes_nothing_and_is_no_error(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine([])
    path = workdir.directory / "plan.json"
    with engine.serve(workdir.socket) as url:
        save(workdir, run, url, path)
        engine.containers.update({item.id: item for item in leaks(3)})
        done = run(*workdir.sweep(url, "--plan", str(path)))
    assert done.returncode == 0, done.stderr
    assert len(engine.containers) == 3
    assert deletes(engine) == []
