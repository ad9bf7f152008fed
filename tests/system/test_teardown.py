"""A job's own teardown as whole commands: what it refuses, reports and leaves alone."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.lab.request_gate import Gate
from tests.lab.scripted_engine import Response, ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir, deletes

MINE, THEIRS, OLD = "1" * 64, "2" * 64, "3" * 64


def engine() -> ScriptedEngine:
    """A box with an old leak on it."""
    return ScriptedEngine([ScriptedContainer(OLD, "ws-old", age=timedelta(days=2))])


def job(engine: ScriptedEngine, container_id: str, run: str | None) -> None:
    """A job makes a container, in the second after this one: so it is after a baseline that was taken just now."""
    since = engine.now() - engine.began
    labels = {"fleetsweep.run": run} if run else {}
    made = ScriptedContainer(container_id, f"ws-{container_id[:4]}", labels=labels, age=-since - timedelta(seconds=1))
    engine.containers[container_id] = made


def baseline(workdir: Workdir, run: Run, url: str, *words: str) -> Path:
    path = workdir.directory / "before.json"
    done = run("baseline", *workdir.local(url), "--save", str(path), *words)
    assert done.returncode == 0, done.stderr
    return path


def teardown(workdir: Workdir, run: Run, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    return run("teardown", *workdir.local(url), "--format", "json", *words)


def test_a_baseline_and_a_label_take_this_runs_containers_alone(workdir: Workdir, run: Run) -> None:
    box = engine()
    with box.serve(workdir.socket) as url:
        before = baseline(workdir, run, url)
        job(box, MINE, "7-1")
        job(box, THEIRS, "8-1")
        done = teardown(workdir, run, url, "--baseline", str(before), "--run-label", "fleetsweep.run=7-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert deletes(box) == [MINE]
    (row,) = json.loads(done.stdout)["hosts"]
    assert {item["id"]: item["reason"] for item in row["decisions"]} == {
        OLD: "baseline",
        MINE: "run",
        THEIRS: "other-run",
    }


def test_without_a_label_it_says_that_overlapping_jobs_need_one(workdir: Workdir, run: Run) -> None:
    box = engine()
    with box.serve(workdir.socket) as url:
        before = baseline(workdir, run, url)
        job(box, MINE, None)
        done = teardown(workdir, run, url, "--baseline", str(before))
        quiet = teardown(workdir, run, url, "--baseline", str(before), "-q")
    assert (done.returncode, quiet.returncode, quiet.stderr) == (0, 0, "")
    assert "--run-label" in done.stderr
    assert "docs/ci.md" in done.stderr
    assert deletes(box) == [MINE]


def test_a_label_alone_takes_what_carries_it_whatever_it_is_called(workdir: Workdir, run: Run) -> None:
    box = engine()
    job(box, MINE, "7-1")
    box.containers[MINE].name, box.containers[MINE].image = "db", "postgres:16"
    with box.serve(workdir.socket) as url:
        dry = teardown(workdir, run, url, "--run-label", "fleetsweep.run=7-1", "--dry-run")
        assert (dry.returncode, deletes(box)) == (0, [])
        done = teardown(workdir, run, url, "--run-label", "fleetsweep.run=7-1")
    assert (done.returncode, deletes(box)) == (0, [MINE])
    assert list(box.containers) == [OLD]


def edited(path: Path) -> None:
    path.write_text(path.read_text().replace(OLD, MINE))


def half(path: Path) -> None:
    path.write_text(path.read_text()[:100])


def shared(path: Path) -> None:
    path.chmod(0o666)


def aged(path: Path) -> None:
    """As ``baseline`` would have written it the day before yesterday."""
    program = (
        "import sys, time; from pathlib import Path; from fleetsweep.store.baseline_file import KIND\n"
        "path = Path(sys.argv[1]); body = KIND.load(path); body.pop('schema')\n"
        "body['created_ns'] -= 2 * 86400 * 10**9; KIND.save(body, path, '--save')"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (Path.unlink, "No such file"),
        (edited, "changed after it was made"),
        (half, "not whole JSON"),
        (shared, "can be changed by others"),
        (aged, "more than a day"),
        (lambda path: path.write_text("{}"), "is not a baseline"),
    ],
)
def test_a_baseline_that_cannot_be_trusted_contacts_no_host(
    workdir: Workdir, run: Run, spoil: Callable[[Path], object], said: str
) -> None:
    box = engine()
    with box.serve(workdir.socket) as url:
        before = baseline(workdir, run, url)
        job(box, MINE, "7-1")
        spoil(before)
        box.requests.clear()
        done = teardown(workdir, run, url, "--baseline", str(before), "--run-label", "fleetsweep.run=7-1")
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert box.requests == []


@pytest.mark.parametrize("change", ["id", "clock back", "clock ahead"])
def test_a_baseline_of_another_engine_or_another_time_removes_nothing(workdir: Workdir, run: Run, change: str) -> None:
    box = engine()
    with box.serve(workdir.socket) as url:
        before = baseline(workdir, run, url)
        job(box, MINE, None)
        if change == "id":
            box.id = "another"
        else:
            box.offset = timedelta(days=2 if change == "clock ahead" else -2)
        done = teardown(workdir, run, url, "--baseline", str(before))
    assert done.returncode == 4, done.stderr
    (row,) = json.loads(done.stdout)["hosts"]
    assert (row["status"], row["guard"]["name"]) == ("guarded", "identity" if change == "id" else "skew")
    assert "nothing is removed here" in row["guard"]["message"]
    assert deletes(box) == []


def test_a_baseline_of_another_host_is_refused(workdir: Workdir, run: Run) -> None:
    box = engine()
    with box.serve(workdir.socket) as url:
        before = baseline(workdir, run, url)
        box.requests.clear()
        done = run("teardown", "--host", "root@127.0.0.1:1", "--engine", url, "--baseline", str(before))
    assert done.returncode == 2
    assert "does not have" in done.stderr
    assert box.requests == []


def test_where_a_host_cannot_be_looked_at_no_baseline_is_written(workdir: Workdir, run: Run) -> None:
    box = engine()
    box.on("/containers/json", lambda _: Response(500, {"message": "no"}))
    path = workdir.directory / "before.json"
    with box.serve(workdir.socket) as url:
        done = run("baseline", *workdir.local(url), "--save", str(path))
    assert done.returncode == 3
    assert "no baseline was written" in done.stderr
    assert not path.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "which run's containers"),
        (["--run-label", "fleetsweep.run="], "is not KEY=VALUE"),
        (["--run-label", "=7"], "is not KEY=VALUE"),
        (["--run-label", "fleetsweep.run"], "is not KEY=VALUE"),
        (["--baseline", "x", "--volumes"], "--volumes: a baseline does not list them"),
        (["--baseline", "x", "--networks"], "--networks: a baseline does not list them"),
    ],
)
def test_what_is_not_one_runs_is_refused_before_anyone_is_asked(
    workdir: Workdir, run: Run, words: list[str], said: str
) -> None:
    box = engine()
    with box.serve(workdir.socket) as url:
        done = teardown(workdir, run, url, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert box.requests == []


def test_an_existing_file_that_is_no_baseline_is_not_overwritten(workdir: Workdir, run: Run) -> None:
    path = workdir.directory / "precious"
    path.write_text("mine")
    box = engine()
    with box.serve(workdir.socket) as url:
        done = run("baseline", *workdir.local(url), "--save", str(path))
    assert done.returncode == 2
    assert path.read_text() == "mine"
    assert box.requests == []


class Stored:
    """Volumes and networks on a scripted engine, with the label filter that it is asked to apply ignored."""

    def __init__(self, engine: ScriptedEngine) -> None:
        self.volumes = {
            name: {"Name": name, "CreatedAt": "2026-01-01T00:00:00Z", "Labels": labels}
            for name, labels in (
                ("mine", {"fleetsweep.run": "7-1"}),
                ("theirs", {"fleetsweep.run": "8-1"}),
                ("kept", {"fleetsweep.run": "7-1", "fleetsweep.keep": "yes"}),
                ("nobodys", None),
            )
        }
        self.network = {"Id": "9" * 64, "Name": "net", "Created": "2026", "Labels": {"fleetsweep.run": "7-1"}}
        self.networks = [self.network]
        self.deleted: list[str] = []
        engine.on("^GET /volumes$", lambda _: Response(body={"Volumes": list(self.volumes.values())}))
        engine.on("^GET /networks$", lambda _: Response(body=list(self.networks)))
        engine.on("^GET /volumes/(.+)$", lambda found: self._answer(self.volumes.get(found[1])))
        engine.on("^GET /networks/9+$", lambda _: self._answer(self.networks[0] if self.networks else None))
        engine.on("^DELETE /(volumes|networks)/(.+)$", lambda found: self.delete(found[1], found[2]))

    def _answer(self, found: object) -> Response:
        return Response(404, {"message": "no such"}) if found is None else Response(body=found)

    def delete(self, kind: str, name: str) -> Response:
        self.deleted.append(name)
        if kind == "volumes":
            del self.volumes[name]
        else:
            self.networks.clear()
        return Response(204)


RUN_LABEL = ("--run-label", "fleetsweep.run=7-1", "--volumes", "--networks")


def test_the_runs_labelled_volumes_and_networks_go_and_no_others(workdir: Workdir, run: Run) -> None:
    box = engine()
    stored = Stored(box)
    with box.serve(workdir.socket) as url:
        done = teardown(workdir, run, url, *RUN_LABEL)
    assert done.returncode == 0, done.stderr
    assert stored.deleted == ["mine", "9" * 64]
    (row,) = json.loads(done.stdout)["hosts"]
    assert [(item["kind"], item["name"], item["outcome"]) for item in row["resources"]] == [
        ("volume", "mine", "removed"),
        ("network", "net", "removed"),
    ]


def test_a_volume_that_is_in_use_stays_and_is_reported(workdir: Workdir, run: Run) -> None:
    box = engine()
    stored = Stored(box)
    stored.delete = lambda kind, name: Response(409, {"message": "volume is in use"})  # type: ignore[method-assign]
    with box.serve(workdir.socket) as url:
        done = run("teardown", *workdir.local(url), *RUN_LABEL)
    assert done.returncode == 5, done.stderr
    assert "volume mine: failed: HTTP 409: volume is in use" in done.stdout
    assert "mine" in stored.volumes


@pytest.mark.parametrize(
    ("request_of", "outcome"), [("GET /volumes/mine", "failed"), ("DELETE /volumes/mine", "unknown")]
)
def test_a_volume_that_hangs_affects_only_itself(
    workdir: Workdir, run: Run, gate: Gate, request_of: str, outcome: str
) -> None:
    box = engine()
    box.on(f"^{request_of}$", gate)
    Stored(box)
    with box.serve(workdir.socket) as url:
        done = run("teardown", *workdir.local(url), *RUN_LABEL, "--format", "json")
    assert done.returncode == 5, done.stderr
    (row,) = json.loads(done.stdout)["hosts"]
    assert [(item["name"], item["outcome"]) for item in row["resources"]] == [("mine", outcome), ("net", "removed")]


def test_a_volume_that_became_another_is_left(workdir: Workdir, run: Run) -> None:
    box = engine()
    looked: list[str] = []

    def swap(_: object) -> Response:
        looked.append("mine")
        return Response(body={**stored.volumes["mine"], "CreatedAt": "2026-02-02T00:00:00Z"})

    # Before the engine's own answer to it: the first hook that has one counts.
    box.on("^GET /volumes/mine$", swap)
    stored = Stored(box)
    with box.serve(workdir.socket) as url:
        done = teardown(workdir, run, url, "--run-label", "fleetsweep.run=7-1", "--volumes")
    assert looked
    assert stored.deleted == []
    (row,) = json.loads(done.stdout)["hosts"]
    assert [item["outcome"] for item in row["resources"]] == ["changed"]


def test_a_volume_whose_name_could_name_something_else_fails_its_host(workdir: Workdir, run: Run) -> None:
    box = engine()
    stored = Stored(box)
    stored.volumes["mine"]["Name"] = "../containers/x"
    with box.serve(workdir.socket) as url:
        done = teardown(workdir, run, url, *RUN_LABEL)
    assert done.returncode == 3
    assert stored.deleted == []


def test_more_volumes_than_the_cap_guard_the_host(workdir: Workdir, run: Run) -> None:
    box = engine()
    stored = Stored(box)
    with box.serve(workdir.socket) as url:
        done = teardown(workdir, run, url, *RUN_LABEL, "--cap", "1")
    assert done.returncode == 4
    assert stored.deleted == []


def test_a_teardown_waits_for_a_sweep_on_the_same_state_directory(workdir: Workdir, run: Run) -> None:
    box = engine()
    with box.serve(workdir.socket) as url:
        done = run(*workdir.sweep(url, "--dry-run"))
        assert done.returncode == 0
        with (workdir.state / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = teardown(workdir, run, url, "--run-label", "fleetsweep.run=7-1", "--lock-wait", "1s")
    assert done.returncode == 2
    assert "is running" in done.stderr
    assert deletes(box) == []
