"""Notifications of every end but success, whatever else fails, and without secrets."""

from __future__ import annotations

import json
import re
import shlex
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from fleetsweep.notify import messages, prometheus
from tests.conftest import Run
from tests.lab import Lab, Spec
from tests.lab.fleetsweep_process import FleetsweepProcess
from tests.lab.http_receiver import Receiver, receiving
from tests.lab.request_gate import Gate
from tests.lab.scripted_engine import Response, ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir, deletes, leaks

SECRET = "s3kr1t-t0ken"  # noqa: S105
YOUNG = ScriptedContainer("a" * 64, age=timedelta(minutes=1))


def url(receiver: Receiver) -> str:
    """Where Apprise posts JSON, with a secret in each place that a URL has for one."""
    return f"json://robot:{SECRET}@{receiver.authority}/{SECRET}?+X-Token={SECRET}"


def told(receiver: Receiver) -> list[dict[str, str]]:
    return [json.loads(received.body) for received in receiver.received]


def engine(
    *, answer: Response | None = None, on: str = "GET /containers/json", count: int = 1, labels: object = None
) -> ScriptedEngine:
    made = ScriptedEngine(leaks(count))
    for container in made.containers.values():
        container.labels = labels or {}
    if answer is not None:
        made.on(on, lambda _: answer)
    return made


@dataclass(frozen=True, slots=True)
class Ending:
    """A run that ends with ``code``."""

    code: int
    engine: Callable[[], ScriptedEngine]
    words: tuple[str, ...]


ENDINGS = [
    Ending(3, lambda: engine(answer=Response(500, {"message": "no"})), ("audit",)),
    Ending(4, lambda: engine(count=3), ("audit", "--cap", "2")),
    Ending(4, engine, ("audit", "--expect", "2")),
    Ending(5, lambda: engine(on="DELETE", answer=Response(500, {"message": "busy"})), ("sweep", "--yes")),
    Ending(6, engine, ("audit", "--fail-on-stale")),
    # Without --yes and without a terminal.
    Ending(2, engine, ("sweep",)),
    Ending(2, engine, ("teardown", "--baseline", "/nonexistent/before.json")),
    Ending(
        5,
        lambda: engine(on="DELETE", answer=Response(500, {"message": "busy"}), labels={"fleetsweep.run": "7"}),
        ("teardown", "--run-label", "fleetsweep.run=7"),
    ),
]


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: f"{ending.code}-{'-'.join(ending.words)}")
def test_every_exit_but_0_is_notified_once_with_its_code(run: Run, workdir: Workdir, ending: Ending) -> None:
    command, *words = ending.words
    with ending.engine().serve(workdir.socket) as address, receiving() as chat:
        done = run(command, *workdir.local(address), *words, "--notify", url(chat))
    assert done.returncode == ending.code, done.stderr
    (message,) = told(chat)
    assert message["title"].startswith(f"fleetsweep {command}: exit {ending.code}, ")
    shown = re.search("^Show the run: fleetsweep (show .*)$", message["message"], re.MULTILINE)
    # Where nobody was contacted there is nothing to show.
    assert (shown is not None) == (ending.code != 2 and "--expect" not in words)
    if shown is not None:
        again = run(*shlex.split(shown[1]))
        assert f"exit code {ending.code}: " in again.stdout, again.stderr
    assert "fleetsweep audit --local" in message["message"]
    assert SECRET not in done.stdout + done.stderr + chat.received[0].body.decode()


def test_a_success_is_notified_only_on_request(run: Run, workdir: Workdir) -> None:
    with ScriptedEngine([YOUNG]).serve(workdir.socket) as address, receiving() as chat:
        quiet = run("audit", *workdir.local(address), "--notify", url(chat))
        assert chat.received == []
        always = run("audit", *workdir.local(address), "--notify", url(chat), "--notify-always")
    assert (quiet.returncode, always.returncode) == (0, 0)
    (message,) = told(chat)
    assert message["title"] == "fleetsweep audit: exit 0, all is well"


def test_an_inventory_that_cannot_be_read_is_reported(run: Run, workdir: Workdir) -> None:
    with receiving() as chat:
        done = run("audit", "-i", "nowhere.yml", "--notify", url(chat))
    assert done.returncode == 2
    (message,) = told(chat)
    assert "exit 2" in message["title"]
    assert "nowhere.yml" in message["message"].splitlines()[0]
    assert "Look again: fleetsweep audit -i nowhere.yml" in message["message"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_was_stopped_is_reported(workdir: Workdir, gate: Gate, number: signal.Signals) -> None:
    scripted = engine()
    scripted.on("GET /containers/json", gate)
    with scripted.serve(workdir.socket) as address, receiving() as chat:
        with FleetsweepProcess(["audit", *workdir.local(address), "--notify", url(chat)]) as child:
            gate.await_held(1)
            child.signal(number)
            gate.release()
            assert child.finish() == 128 + number
        (message,) = told(chat)
    assert f"exit {128 + number}, stopped by signal {number}" in message["title"]


def test_a_sweep_that_still_sends_notifications_blocks_no_other(run: Run, workdir: Workdir, gate: Gate) -> None:
    scripted = engine()
    with scripted.serve(workdir.socket) as address, receiving() as chat:
        chat.hold = gate
        # Apprise would wait 4 seconds for a response, and a busy machine may take longer over the second sweep.
        words = workdir.sweep(address, "--notify", url(chat) + "&rto=14", "--notify-always")
        with FleetsweepProcess(words) as child:
            gate.await_held(1)
            done = run(*workdir.sweep(address, "--lock-wait", "1s"))
            assert child.alive()
            gate.release()
            assert child.finish() == 0
    assert json.loads(done.stdout)["hosts"][0]["status"] == "ok"


@pytest.mark.lab
def test_a_fleet_with_one_box_that_is_away_is_notified_by_name(lab: Lab, run: Run, workdir: Workdir) -> None:
    lab.box("runner-1").seed([Spec("ws-1", age=timedelta(days=2))])
    away = workdir.directory / "away.yml"
    reached = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_private_key_file": str(lab.client_key)}
    away.write_text(json.dumps({"all": {"hosts": {"away": reached}}}))
    file = workdir.directory / "f.prom"
    with receiving() as chat:
        words = ["-i", str(away), "--yes", "--notify", url(chat), "--metrics", str(file)]
        done = run("sweep", *lab.options(), *words)
    assert done.returncode == 3, done.stderr
    lines = told(chat)[0]["message"].splitlines()
    assert lines[0] == "away: unreachable, connect: refused"
    assert lines[1] == "runner-[1-3]: ok"
    assert lines[2] == "3 of 4 hosts ok; 1 containers, 1 matched, 1 stale, 1 removed"
    assert lines[4].startswith("Look again: fleetsweep audit ")
    assert lines[4].endswith(" --host away")
    text = file.read_text()
    assert 'fleetsweep_host_status{command="sweep",host="away",status="unreachable"} 1.0' in text
    assert 'fleetsweep_host_removed_containers{command="sweep",host="runner-1"} 1.0' in text
    # The command can be typed as it stands.
    again = run(*shlex.split(lines[4].removeprefix("Look again: fleetsweep ")))
    assert again.returncode == 3
    assert "runner-1" not in again.stdout


def test_listing_hosts_notifies_no_one(run: Run) -> None:
    with receiving() as chat:
        done = run("audit", "-i", "nowhere.yml", "--list-hosts", "--notify", url(chat))
    assert done.returncode == 2
    assert chat.received == []


def test_a_bug_is_reported_and_its_traceback_shows_no_address(run: Run, workdir: Workdir, tmp_path: Path) -> None:
    with receiving() as chat:
        broken = tmp_path / "broken"
        broken.mkdir()
        (broken / "sitecustomize.py").write_text(
            "import platformdirs\n"
            "def fail(name):\n"
            f"    raise RuntimeError({url(chat)!r})\n"
            "platformdirs.user_state_dir = fail\n"
        )
        done = run("audit", "--local", "--notify", url(chat), environ={"PYTHONPATH": str(broken)})
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "RuntimeError: json://…" in done.stderr
    assert SECRET not in done.stderr + chat.received[0].body.decode()
    assert "exit 1" in told(chat)[0]["title"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("asked", ["", "&redirect=yes"])
def test_no_redirect_is_followed(run: Run, workdir: Workdir, status: int, asked: str) -> None:
    with (
        ScriptedEngine([YOUNG]).serve(workdir.socket) as address,
        receiving() as thief,
        receiving(status, f"http://{thief.authority}/") as chat,
    ):
        done = run("audit", *workdir.local(address), "--notify-always", "--notify", url(chat) + asked)
    assert len(chat.received) == 1
    assert thief.received == []
    assert done.returncode == 3
    assert "warning: --notify: 1 of 1 (json://…) was not sent" in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [(("--notify-always",), 3), (("--cap", "0"), 4), (("--fail-on-stale",), 6), (("--expect", "x"), 2)],
)
def test_a_notification_that_fails_hides_no_other_code(
    run: Run, workdir: Workdir, words: tuple[str, ...], code: int
) -> None:
    with engine().serve(workdir.socket) as address, receiving(500) as chat:
        done = run("audit", *workdir.local(address), "--notify", url(chat), *words)
    assert done.returncode == code
    assert len(chat.received) == 1
    assert "(json://…) was not sent" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert chat.authority not in done.stderr


def test_one_that_fails_keeps_no_other_from_being_sent(run: Run, workdir: Workdir) -> None:
    with engine().serve(workdir.socket) as address, receiving(500) as deaf, receiving() as chat:
        # The variable holds several, between spaces.
        both = {"FLEETSWEEP_NOTIFY": f"{url(deaf)} {url(chat)}"}
        done = run("audit", *workdir.local(address), "--fail-on-stale", environ=both)
    assert done.returncode == 6
    assert len(chat.received) == 1
    assert "--notify: 1 of 2 (json://…) was not sent" in done.stderr


@pytest.mark.parametrize(
    ("bad", "shown"),
    [
        (SECRET, "without a scheme"),
        (f"nosuchservice://{SECRET}", "nosuchservice://…"),
        (f"json://{SECRET}:99999999:{SECRET}/ {SECRET}", "json://…"),
        (f"slack://{SECRET}", "slack://…"),
        (f"tgram://{SECRET}/{SECRET}", "tgram://…"),
        (" ", "empty"),
    ],
)
def test_a_url_that_apprise_cannot_read_is_refused_unseen(run: Run, workdir: Workdir, bad: str, shown: str) -> None:
    scripted = engine()
    with scripted.serve(workdir.socket) as address, receiving() as chat:
        done = run("sweep", "--yes", *workdir.local(address), "--notify", url(chat), "--notify", bad)
    assert done.returncode == 2, done.stdout
    assert scripted.requests == []
    assert "--notify" in done.stderr
    assert shown in done.stderr
    assert SECRET not in done.stdout + done.stderr
    # The other one can be read, and hears of it.
    (message,) = told(chat)
    assert "exit 2" in message["title"]


@pytest.mark.parametrize("where", [("audit",), ("audit", "--local", "--no-such"), ("explain", "--local", "x")])
def test_an_address_in_the_wrong_place_is_not_quoted(run: Run, where: tuple[str, ...]) -> None:
    done = run(*where, f"json://robot:{SECRET}@127.0.0.1/{SECRET}")
    assert done.returncode == 2
    assert SECRET not in done.stdout + done.stderr


def without(module: str, directory: Path) -> dict[str, str]:
    """An environment in which a module isn't installed."""
    (directory / "sitecustomize.py").write_text(
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] == {module!r}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
    )
    return {"PYTHONPATH": str(directory)}


@pytest.mark.parametrize(
    ("module", "words", "needed"),
    [
        ("apprise", ("--notify", f"json://{SECRET}"), messages.REQUIREMENT),
        ("prometheus_client", ("--metrics", "a.prom"), prometheus.REQUIREMENT),
        ("prometheus_client", ("--push-gateway", f"http://x:{SECRET}@127.0.0.1"), prometheus.REQUIREMENT),
    ],
)
def test_without_the_extra_it_sweeps_all_the_same_and_says_the_remedy(
    run: Run, workdir: Workdir, tmp_path: Path, module: str, words: tuple[str, ...], needed: str
) -> None:
    lacking = without(module, tmp_path)
    scripted = engine()
    with scripted.serve(workdir.socket) as address:
        done = run("sweep", "--yes", *workdir.local(address), *words, environ=lacking)
        plain = run("audit", *workdir.local(address), environ=lacking)
    assert done.returncode == 3, done.stdout
    assert len(deletes(scripted)) == 1
    assert f"{shlex.quote(sys.executable)} -m pip install '{needed}'" in done.stderr
    assert SECRET not in done.stderr
    assert plain.returncode == 0, plain.stderr
