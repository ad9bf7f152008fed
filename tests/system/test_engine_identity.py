"""A plan for one engine is carried out and reconciled on that engine alone, and no box can pass for another."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from tests.lab import Box, Lab, Spec
from tests.lab.fleetsweep_process import FleetsweepProcess, intents
from tests.lab.process import wait_for
from tests.lab.request_gate import Gate
from tests.lab.scripted_engine import Response, ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir, deletes, leaks

DAYS = timedelta(days=2)


def rows(text: str) -> dict[str, dict[str, Any]]:
    return {row["host"]: row for row in json.loads(text)["hosts"]}


def young(count: int, first: int = 1000) -> list[ScriptedContainer]:
    """So many containers that nothing matches."""
    ids = range(first, first + count)
    return [ScriptedContainer(f"{number:064x}", f"db-{number}", "postgres:16", age=timedelta(0)) for number in ids]


# A plan made on one real box, and a configuration that then leads to another


@dataclass(frozen=True, slots=True)
class Alias:
    """A host ``ws`` whose address only the SSH configuration knows: the inventory's words stay the same."""

    lab: Lab
    directory: Path

    def lead_to(self, box: Box) -> None:
        """Have the name lead to this box."""
        (self.directory / "config").write_text(
            f"Host ws\n  HostName 127.0.0.1\n  Port {box.port}\n  IdentityFile {self.lab.client_key}\n  User root\n"
        )

    def options(self) -> list[str]:
        """The options of every run."""
        words = ["--ssh-config", str(self.directory / "config"), "--known-hosts", str(self.lab.known_hosts)]
        return ["-i", str(self.directory / "hosts.yml"), *words, "--state-dir", str(self.directory / "state")]


@pytest.fixture
def alias(lab: Lab, tmp_path: Path) -> Alias:
    """Two boxes whose engines have one and the same address, as on real boxes."""
    link = tmp_path / "docker.sock"
    (tmp_path / "hosts.yml").write_text(f"all: {{hosts: {{ws: {{fleetsweep_engine: 'unix://{link}'}}}}}}\n")
    link.symlink_to(lab.box("runner-1").socket)
    made = Alias(lab, tmp_path)
    made.lead_to(lab.box("runner-1"))
    return made


def retarget(alias: Alias, name: str) -> None:
    """The configuration leads to another box from now on, and what the box calls its engine is the other's."""
    alias.lead_to(alias.lab.box(name))
    link = alias.directory / "docker.sock"
    link.unlink()
    link.symlink_to(alias.lab.box(name).socket)


@pytest.mark.lab
def test_a_plan_is_not_carried_out_on_another_box_that_the_name_leads_to_now(alias: Alias, run: Run) -> None:
    first, second = alias.lab.box("runner-1"), alias.lab.box("runner-2")
    first.seed([Spec("ws-1", age=DAYS), Spec("ws-2", age=DAYS)])
    plan = alias.directory / "plan.json"
    looked = run("audit", *alias.options(), "--save-plan", str(plan))
    assert looked.returncode == 0, looked.stderr
    retarget(alias, "runner-2")
    done = run("sweep", *alias.options(), "--plan", str(plan), "--yes", "--format", "json")
    assert done.returncode == 4, done.stderr
    row = rows(done.stdout)["ws"]
    assert (row["status"], row["guard"]["name"], row["gone"], row["removed"]) == ("guarded", "identity", 0, 0)
    assert "another engine responds" in row["guard"]["message"]
    assert (first.running(), second.running()) == ({"ws-1", "ws-2"}, set())
    assert intents(alias.directory / "state") == []
    # Back at the box that it was made of, the plan still holds.
    retarget(alias, "runner-1")
    assert run("sweep", *alias.options(), "--plan", str(plan), "--yes").returncode == 0
    assert first.running() == set()


@pytest.mark.lab
def test_an_open_intent_is_settled_only_by_the_box_that_it_was_planned_on(alias: Alias, run: Run) -> None:
    first = alias.lab.box("runner-1")
    first.seed([Spec("ws-1", age=DAYS)])
    with FleetsweepProcess(["sweep", *alias.options(), "--yes", "--format", "json"]) as child:
        wait_for(lambda: child.alive() and intents_of(alias) != [], "the intent")
        os.kill(child.pid, signal.SIGKILL)
    # Whether it got as far as the request or not, the outcome is not known here: make that so.
    reopen(alias)
    retarget(alias, "runner-2")
    looked = run("audit", *alias.options(), "--format", "json")
    assert looked.returncode == 0, looked.stderr
    assert [each["outcome"] for each in rows(looked.stdout)["ws"]["settled"]] == ["unknown"]
    assert [row["settled"] for row in intents_of(alias)] == [None]
    retarget(alias, "runner-1")
    expected = "still-there" if "ws-1" in first.names() else "gone"
    again = run("audit", *alias.options(), "--format", "json")
    assert [each["outcome"] for each in rows(again.stdout)["ws"]["settled"]] == [expected]
    assert [row["settled"] for row in intents_of(alias)] == [expected]


def intents_of(alias: Alias) -> list[dict[str, Any]]:
    state = alias.directory / "state"
    try:
        return intents(state) if (state / "journal.db").exists() else []
    except sqlite3.OperationalError:  # the tables are being made
        return []


def reopen(alias: Alias) -> None:
    """Leave the intents as a killed run does."""
    with closing(sqlite3.connect(alias.directory / "state" / "journal.db", isolation_level=None)) as database:
        database.execute("UPDATE intent SET outcome = NULL, error = NULL, concluded_ns = NULL")


# Scripted engines: another id, and neighbours that lie


@pytest.mark.parametrize("pinned", [False, True])
def test_an_engine_with_another_id_than_when_the_plan_was_made_is_sent_nothing(
    workdir: Workdir, run: Run, pinned: bool
) -> None:
    engine = ScriptedEngine(leaks(2))
    engine.id = "FIRST"
    plan, inventory = workdir.directory / "plan.json", workdir.directory / "hosts.yml"
    with engine.serve(workdir.socket) as url:
        pin = ", fleetsweep_engine_id: FIRST" if pinned else ""
        inventory.write_text(
            f"all: {{hosts: {{box: {{ansible_connection: local, fleetsweep_engine: '{url}'{pin}}}}}}}\n"
        )
        options = ["-i", str(inventory), "--state-dir", str(workdir.state)]
        assert run("audit", *options, "--save-plan", str(plan)).returncode == 0
        engine.id = "SECOND"
        done = run("sweep", *options, "--plan", str(plan), "--yes", "--format", "json")
        assert done.returncode == 4, done.stderr
        assert rows(done.stdout)["box"]["guard"]["name"] == "identity"
        assert (deletes(engine), intents(workdir.state)) == ([], [])
        engine.id = "FIRST"
        assert run("sweep", *options, "--plan", str(plan), "--yes").returncode == 0
    assert len(deletes(engine)) == 2


def test_an_engine_that_has_no_id_is_swept_by_its_other_properties(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine(leaks(2))
    engine.on("GET /info", lambda _: Response(403, {"message": "forbidden by the proxy"}))
    with engine.serve(workdir.socket) as url:
        done = run(*workdir.sweep(url))
    assert done.returncode == 0, done.stderr
    assert len(deletes(engine)) == 2


@contextmanager
def fleet(workdir: Workdir, **engines: ScriptedEngine) -> Iterator[list[str]]:
    """Several engines on this machine, in one inventory; answers the options for them."""
    with ExitStack() as stack:
        lines = ["all:", "  vars: {ansible_connection: local}", "  hosts:"]
        for name, engine in engines.items():
            engine.id = f"ID-{name}"
            url = stack.enter_context(engine.serve(workdir.directory / f"{name}.sock"))
            lines.append(f"    {name}: {{fleetsweep_engine: '{url}'}}")
        inventory = workdir.directory / "hosts.yml"
        inventory.write_text("\n".join(lines) + "\n")
        yield ["-i", str(inventory), "--state-dir", str(workdir.state), "--format", "json"]


def test_a_box_that_lists_anothers_containers_does_not_have_them_left_alone(workdir: Workdir, run: Run) -> None:
    honest = ScriptedEngine(leaks(2))
    # The liar comes first in the inventory.
    liar = ScriptedEngine([*leaks(2)])
    liar.on("^DELETE", lambda _: Response(404, {"message": "No such container"}))
    with fleet(workdir, aliar=liar, honest=honest) as options:
        done = run("sweep", *options, "--yes")
    assert rows(done.stdout)["honest"]["removed"] == 2, done.stdout
    assert honest.containers == {}


def test_a_box_that_lists_the_id_of_anothers_open_intent_does_not_settle_it(
    workdir: Workdir, gate: Gate, run: Run
) -> None:
    engine, liar = ScriptedEngine(leaks(1)), ScriptedEngine([])
    engine.on("^DELETE", gate)
    with fleet(workdir, aliar=liar, box=engine) as options:
        with FleetsweepProcess(["sweep", *options, "--yes"]) as child:
            gate.await_held(1)
            child.kill()
        gate.release()
        wait_for(lambda: not engine.containers, "the removal")
        liar.containers.update({item.id: item for item in leaks(1)})
        looked = run("audit", *options)
    settled = {name: [each["outcome"] for each in row["settled"]] for name, row in rows(looked.stdout).items()}
    assert settled == {"aliar": [], "box": ["gone"]}


def test_a_share_of_the_fleet_is_of_the_hosts_that_no_guard_stops(workdir: Workdir, run: Run) -> None:
    honest = ScriptedEngine([*leaks(9), *young(1)])
    skewed = ScriptedEngine(young(200, 5000), offset=timedelta(days=400))
    with fleet(workdir, honest=honest, skewed=skewed) as options:
        done = run("sweep", *options, "--yes", "--fleet-cap", "20%")
    assert done.returncode == 4, done.stderr
    report = json.loads(done.stdout)
    assert (report["guard"]["name"], report["guard"]["found"]) == ("fleet-cap", 9)
    assert deletes(honest) == []


def test_a_runs_volumes_count_for_the_fleet_cap(workdir: Workdir, run: Run) -> None:
    engine = ScriptedEngine([])
    volumes = [{"Name": f"v{number}", "Labels": {"run": "7"}, "CreatedAt": "x"} for number in range(20)]
    engine.on("GET /volumes", lambda _: Response(body={"Volumes": volumes}))
    with engine.serve(workdir.socket) as url:
        scope = ["--run-label", "run=7", "--volumes", "--fleet-cap", "5", "--format", "json"]
        done = run("teardown", *workdir.local(url), *scope)
    assert done.returncode == 4, done.stderr
    report = json.loads(done.stdout)
    assert (report["guard"]["name"], report["guard"]["found"]) == ("fleet-cap", 20)
    assert [each for each in engine.requests if each[0] == "DELETE"] == []


def test_a_teardown_goes_on_where_one_hosts_engine_is_not_the_one_of_its_baseline(workdir: Workdir, run: Run) -> None:
    same, changed = ScriptedEngine([]), ScriptedEngine([])
    before = workdir.directory / "before.json"
    with fleet(workdir, changed=changed, same=same) as options:
        assert run("baseline", *options[:-2], "--save", str(before)).returncode == 0
        for number, engine in enumerate((same, changed)):
            since = engine.now() - engine.began
            made = ScriptedContainer(f"{number:064x}", f"ws-{number}", age=-since - timedelta(seconds=1))
            engine.containers[made.id] = made
        changed.id = "ANOTHER"
        done = run("teardown", *options, "--baseline", str(before))
    assert done.returncode == 4, done.stderr
    found = rows(done.stdout)
    assert (found["changed"]["status"], found["changed"]["guard"]["name"]) == ("guarded", "identity")
    assert (found["same"]["status"], found["same"]["removed"]) == ("ok", 1)
    assert (deletes(changed), len(deletes(same))) == ([], 1)


def test_an_engine_that_hangs_in_the_question_for_its_id_is_swept_by_its_other_properties(
    workdir: Workdir, gate: Gate
) -> None:
    engine = ScriptedEngine(leaks(2))
    engine.on("GET /info", gate)
    short = "import fleetsweep.engine.client as c; c.ID_WAIT_S = 0.2; import fleetsweep.__main__ as m; m.main()"
    with engine.serve(workdir.socket) as url:
        done = subprocess.run(
            [sys.executable, "-c", short, *workdir.sweep(url)], check=False, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 0, done.stderr
    assert len(deletes(engine)) == 2
