"""Metrics of whole runs: what Prometheus reads, what is kept while a host fails, and where a push goes."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Run
from tests.lab.http_receiver import receiving
from tests.lab.pushgateway import pushgateway
from tests.lab.scripted_engine import Response, ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir, deletes, leaks

SECRET = "s3kr1t-t0ken"  # noqa: S105
SUCCESS = "fleetsweep_host_last_success_timestamp_seconds"

Samples = dict[tuple[str, str, str], float]


def read(text: str) -> Samples:
    """The samples by name, host and status, of one command."""
    return {
        (sample.name, sample.labels.get("host", ""), sample.labels.get("status", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of_hosts(samples: Samples) -> dict[str, float]:
    """The samples of the one host, by name; the status is the one that holds."""
    return {name: value for (name, host, status), value in samples.items() if host and (not status or value)}


def promtool(text: str) -> str:
    """What Prometheus's own linter objects to."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode == 0 else f"exit {done.returncode}: {done.stdout}{done.stderr}"


def engine() -> ScriptedEngine:
    return ScriptedEngine([*leaks(3), ScriptedContainer("f" * 64, age=timedelta(minutes=1))])


def test_a_sweep_is_written_as_prometheus_wants_it(run: Run, workdir: Workdir) -> None:
    file = workdir.directory / "fleetsweep.prom"
    previous = os.umask(0o077)
    try:
        with engine().serve(workdir.socket) as address:
            done = run("sweep", *workdir.local(address), "--yes", "--metrics", str(file))
    finally:
        os.umask(previous)
    assert done.returncode == 0, done.stderr
    text = file.read_text()
    assert promtool(text) == ""
    host = of_hosts(read(text))
    assert {name: host[f"fleetsweep_host_{name}"] for name in ("containers", "matched_containers")} == {
        "containers": 4,
        "matched_containers": 4,
    }
    assert (host["fleetsweep_host_stale_containers"], host["fleetsweep_host_removed_containers"]) == (3, 3)
    assert host["fleetsweep_host_oldest_stale_age_seconds"] == pytest.approx(2 * 86_400, abs=120)
    assert [status for (name, _, status), value in read(text).items() if status and value] == ["ok"]
    fleet = {name: value for (name, host, _), value in read(text).items() if not host}
    assert fleet["fleetsweep_run_exit_code"] == 0
    assert fleet["fleetsweep_run_last_success_timestamp_seconds"] == host[SUCCESS]
    assert 'command="sweep"' in text
    # node-exporter runs as another user, and would read a half-written file that it can see.
    assert file.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in workdir.directory.iterdir() if "prom" in path.name] == ["fleetsweep.prom"]


def test_a_host_that_fails_keeps_the_time_of_its_last_success(run: Run, workdir: Workdir) -> None:
    file = workdir.directory / "f.prom"
    options = ["--metrics", str(file)]
    scripted = engine()
    with scripted.serve(workdir.socket) as address:
        assert run("audit", *workdir.local(address), *options).returncode == 0
        before = read(file.read_text())
        scripted.on("GET /containers/json", lambda _: Response(500, {"message": "no"}))
        assert run("audit", *workdir.local(address), *options).returncode == 3
    text = file.read_text()
    after = read(text)
    assert promtool(text) == ""
    assert of_hosts(after)[SUCCESS] == of_hosts(before)[SUCCESS]
    assert after[("fleetsweep_run_exit_code", "", "")] == 3
    key = ("fleetsweep_run_last_success_timestamp_seconds", "", "")
    assert after[key] == before[key] < after[("fleetsweep_run_end_timestamp_seconds", "", "")]
    assert [status for (_, _, status), value in after.items() if status and value] == ["failed"]
    # What nobody counted is not zero.
    assert "fleetsweep_host_containers" not in of_hosts(after)
    # A run that ends before it knows its hosts looked at none of them.
    assert run("audit", "-i", "nowhere.yml", *options).returncode == 2
    last = read(file.read_text())
    assert of_hosts(last) == {SUCCESS: of_hosts(before)[SUCCESS]}
    assert last[("fleetsweep_run_exit_code", "", "")] == 2


@pytest.mark.parametrize("junk", [b"\xff\xfe", b"no metrics {", b'a{b="c" 1\n', b"# HELP\n# TYPE x y z\n", b""])
def test_a_file_that_cannot_be_read_is_replaced(run: Run, workdir: Workdir, junk: bytes) -> None:
    file = workdir.directory / "f.prom"
    file.write_bytes(junk)
    with engine().serve(workdir.socket) as address:
        done = run("audit", *workdir.local(address), "--metrics", str(file))
    assert done.returncode == 0, done.stderr
    assert read(file.read_text())[("fleetsweep_run_exit_code", "", "")] == 0


@pytest.mark.parametrize("file", ["metrics.txt", ".prom"])
def test_a_file_that_would_never_be_read_is_refused_before_anything_is_contacted(
    run: Run, workdir: Workdir, file: str
) -> None:
    scripted = engine()
    with scripted.serve(workdir.socket) as address:
        done = run("sweep", "--yes", *workdir.local(address), "--metrics", str(workdir.directory / file))
    assert done.returncode == 2
    assert ".prom" in done.stderr
    assert scripted.requests == []
    assert not (workdir.directory / file).is_file()


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("nowhere/f.prom", "No such file or directory"),
        ("d.prom", "is a directory"),
        ("file/f.prom", "Not a directory"),
        ("pipe.prom", "is a pipe without a reader"),
    ],
)
def test_metrics_that_cannot_be_written_never_stop_a_sweep(run: Run, workdir: Workdir, file: str, words: str) -> None:
    (workdir.directory / "d.prom").mkdir()
    (workdir.directory / "file").write_text("")
    os.mkfifo(workdir.directory / "pipe.prom")
    scripted = engine()
    with scripted.serve(workdir.socket) as address:
        done = run("sweep", "--yes", *workdir.local(address), "--metrics", str(workdir.directory / file))
    assert done.returncode == 3
    assert f"{file} was not written: {words}" in done.stderr
    assert len(deletes(scripted)) == 3
    assert (workdir.directory / "pipe.prom").is_fifo()


def test_the_alerts_page_lets_an_account_write_where_debian_lets_only_root(workdir: Workdir, tmp_path: Path) -> None:
    """As root without its capabilities, for whom a directory of somebody else's is shut."""
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
    (remedy,) = re.findall(r"^    (install .*)$", page, re.MULTILINE)
    directory = tmp_path / "node-exporter"
    directory.mkdir(mode=0o755)
    others = directory / "apt.prom"
    others.write_text("apt 1\n")
    for path in (directory, others):
        os.chown(path, 4242, 4242)
    file = directory / "fleetsweep-sweep.prom"
    powerless = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", sys.executable]

    def sweep(address: str) -> subprocess.CompletedProcess[str]:
        words = ["-m", "fleetsweep", "sweep", "--yes", *workdir.local(address), "--metrics", str(file)]
        return subprocess.run([*powerless, *words], check=False, capture_output=True, text=True, cwd=tmp_path)

    scripted = engine()
    with scripted.serve(workdir.socket) as address:
        shut = sweep(address)
        assert len(deletes(scripted)) == 3
        there = {"/var/lib/prometheus/node-exporter": str(directory), "fleetsweep": "root"}
        command = [there.get(word, word) for word in remedy.split()]
        subprocess.run(command, check=True)
        opened = [sweep(address), sweep(address)]
    assert shut.returncode == 3
    assert f"{file} was not written: Permission denied: this account must" in shut.stderr
    assert [done.returncode for done in opened] == [0, 0], opened[0].stderr
    assert promtool(file.read_text()) == ""
    assert file.stat().st_mode & 0o777 == 0o644
    assert {path.name for path in directory.iterdir()} == {"apt.prom", file.name}
    # What others wrote there stays theirs.
    unlink = [*powerless, "-c", f"import os; os.unlink({str(others)!r})"]
    assert subprocess.run(unlink, check=False, capture_output=True).returncode == 1


def test_a_file_that_cannot_be_written_after_all_makes_success_incomplete(run: Run, workdir: Workdir) -> None:
    directory = workdir.directory / "textfile"
    directory.mkdir()
    scripted = engine()

    def vanish(_: object) -> None:
        if directory.exists():
            directory.rmdir()

    scripted.on("GET /containers/json", vanish)
    with scripted.serve(workdir.socket) as address, receiving() as chat:
        words = ["--metrics", str(directory / "f.prom"), "--notify", f"json://{chat.authority}"]
        done = run("audit", *workdir.local(address), *words)
    assert done.returncode == 3
    assert "was not written: No such file or directory" in done.stderr
    # That is a failure too, so it is told.
    assert len(chat.received) == 1


def test_a_notification_that_fails_is_in_the_file(run: Run, workdir: Workdir) -> None:
    file = workdir.directory / "f.prom"
    with engine().serve(workdir.socket) as address, receiving(500) as chat:
        words = ["--metrics", str(file), "--notify", f"json://{chat.authority}", "--notify-always"]
        done = run("audit", *workdir.local(address), *words)
    assert done.returncode == 3
    assert read(file.read_text())[("fleetsweep_run_exit_code", "", "")] == 3


def test_a_push_is_one_group_for_a_command_on_a_machine(run: Run, workdir: Workdir) -> None:
    with engine().serve(workdir.socket) as address, receiving() as gateway:
        push = f"http://robot:{SECRET}@{gateway.authority}/base/"
        done = run("audit", *workdir.local(address), "--push-gateway", push)
    assert done.returncode == 0, done.stderr
    (received,) = gateway.received
    assert received.method == "PUT"
    assert received.path == f"/base/metrics/job/fleetsweep/command/audit/instance/{os.uname().nodename}"
    assert received.headers["authorization"] == "Basic " + base64.b64encode(f"robot:{SECRET}".encode()).decode()
    text = received.body.decode()
    assert promtool(text) == ""
    assert of_hosts(read(text))["fleetsweep_host_stale_containers"] == 3
    assert SECRET not in text + done.stdout + done.stderr


@pytest.mark.lab
def test_a_pushgateway_keeps_what_was_last_good_of_hosts_that_fail(run: Run, workdir: Workdir) -> None:
    scripted = engine()
    success = ("fleetsweep_run_last_success_timestamp_seconds", "", "")
    with scripted.serve(workdir.socket) as address, pushgateway(workdir.directory) as gateway:
        push = ["--push-gateway", gateway.url]
        assert run("audit", *workdir.local(address), *push).returncode == 0
        good = read(gateway.text())
        scripted.on("GET /containers/json", lambda _: Response(500, {"message": "no"}))
        assert run("audit", *workdir.local(address), *push).returncode == 3
        bad = read(gateway.text())
        # A run that ends before it knows its hosts has nothing to say of them.
        assert run("audit", "-i", "nowhere.yml", *push).returncode == 2
        none = read(gateway.text())
    assert of_hosts(good)["fleetsweep_host_stale_containers"] == 3
    assert of_hosts(good)[SUCCESS] == good[success]
    gauges = {name for name in of_hosts(bad) if not name.endswith("_total")}
    assert gauges == {
        f"fleetsweep_host_{name}" for name in ("status", "duration_seconds", "exit_code", "never_seen", "warning")
    } | {SUCCESS}
    for after in (bad, none):
        assert of_hosts(after)[SUCCESS] == pytest.approx(good[success], abs=1e-3)
        assert after[success] == pytest.approx(good[success], abs=1e-3)
    assert of_hosts(none) == of_hosts(bad)
    code = ("fleetsweep_run_exit_code", "", "")
    assert (good[code], bad[code], none[code]) == (0, 3, 2)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_push_follows_no_redirect(run: Run, workdir: Workdir, status: int) -> None:
    with (
        engine().serve(workdir.socket) as address,
        receiving() as thief,
        receiving(status, f"http://{thief.authority}/") as gateway,
    ):
        push = {"FLEETSWEEP_PUSH_GATEWAY": f"http://robot:{SECRET}@{gateway.authority}"}
        done = run("audit", *workdir.local(address), environ=push)
    assert len(gateway.received) == 1
    assert thief.received == []
    assert done.returncode == 3
    assert f"nothing was pushed: it responded with {status}, and redirects are not followed" in done.stderr
    assert SECRET not in done.stderr


@pytest.mark.parametrize(("words", "code"), [((), 3), (("--cap", "0"), 4), (("--fail-on-stale",), 6)])
def test_a_push_that_fails_hides_no_other_code(run: Run, workdir: Workdir, words: tuple[str, ...], code: int) -> None:
    file = workdir.directory / "f.prom"
    with receiving() as gone:
        closed = gone.authority
    with engine().serve(workdir.socket) as address:
        push = ["--push-gateway", f"http://robot:{SECRET}@{closed}", "--metrics", str(file)]
        done = run("audit", *workdir.local(address), *push, *words)
    assert done.returncode == code
    assert "nothing was pushed: Connection refused" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert read(file.read_text())[("fleetsweep_run_exit_code", "", "")] == code


@pytest.mark.parametrize(
    "bad", [SECRET, f"ftp://{SECRET}", f"http://x:{SECRET}@", f"http://h:{SECRET}", f"http://h/?{SECRET}", "http://a b"]
)
def test_a_gateway_that_is_none_is_refused_unseen(run: Run, workdir: Workdir, bad: str) -> None:
    scripted = engine()
    with scripted.serve(workdir.socket) as address:
        done = run("audit", *workdir.local(address), "--push-gateway", bad)
    assert done.returncode == 2
    assert scripted.requests == []
    assert done.stderr.startswith("Error: --push-gateway must be a URL")
    assert SECRET not in done.stderr


def test_many_hosts_and_odd_names_stay_readable(tmp_path: Path) -> None:
    from fleetsweep.model.survey import Status
    from fleetsweep.notify import prometheus as metrics
    from tests.report.build import candidates, fleet, lost, report, surveyed

    file = tmp_path / "f.prom"
    odd = 'a"b\\c\nd\u2028e\ud800'
    made = report(
        surveyed(odd, candidates("ws", 2), skew_s=float("nan")), lost("x", Status.FAILED), command="sweep", exit_code=3
    )
    for each in (made, fleet(), made):
        assert metrics.write(each, file) == ""
        assert promtool(file.read_text()) == ""
    hosts = {host for _, host, _ in read(file.read_text()) if host}
    assert hosts == {'a"b\\c\\x0ad\\u2028e\\ud800', "x"}


def test_two_schedules_of_one_command_need_names(run: Run, workdir: Workdir) -> None:
    east, west = workdir.directory / "east.prom", workdir.directory / "west.prom"
    with engine().serve(workdir.socket) as address:

        def audit(file: Path, *words: str) -> tuple[int, str]:
            done = run("audit", *workdir.local(address), "--metrics", str(file), *words)
            return done.returncode, done.stderr

        assert audit(east)[0] == 0
        code, printed = audit(west)
        assert code == 3
        assert f"{east} has the same metrics as {west}" in printed
        assert "--schedule-name" in printed
        assert [audit(file, "--schedule-name", file.stem)[0] for file in (east, west)] == [0, 0]
        assert audit(west, "--schedule-name", "no/name")[0] == 2
    text = east.read_text() + west.read_text()
    series = [line.split(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series))
