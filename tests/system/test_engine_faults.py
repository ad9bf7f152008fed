"""Engines that lie, refuse, stall or break off: the container stays, or its state is reported as unknown."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.lab.scripted_engine import Response, ScriptedContainer, ScriptedEngine

ID = "a" * 64


@pytest.fixture
def address() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fs-") as directory:
        yield Path(directory) / "e.sock"


def sweep(run: Run, engine: ScriptedEngine, address: Path, *words: str) -> tuple[int, dict[str, object]]:
    with engine.serve(address) as url:
        state = ["--state-dir", str(address.parent / "state")]
        done = run("sweep", "--local", "--engine", url, "--yes", "--format", "json", *state, *words)
    assert done.stdout, done.stderr
    (row,) = json.loads(done.stdout)["hosts"]
    return done.returncode, row


def outcome(row: dict[str, object]) -> str:
    return row["decisions"][0]["outcome"]  # type: ignore[index,no-any-return]


def one() -> ScriptedEngine:
    return ScriptedEngine([ScriptedContainer(ID)])


def test_a_sweep_looks_again_removes_once_and_proves_it(run: Run, address: Path) -> None:
    engine = one()
    code, row = sweep(run, engine, address)
    assert (code, outcome(row)) == (0, "removed")
    methods = [f"{method} {path.replace(ID, 'ID')}" for method, path in engine.requests]
    assert methods == [
        "GET /containers/json",
        "GET /info",
        "GET /containers/ID/json",
        "GET /containers/json",
        "GET /info",
        "GET /containers/ID/json",
        "DELETE /containers/ID",
        "GET /containers/json",
    ]


def test_an_audit_sends_nothing_but_get(run: Run, address: Path) -> None:
    engine = one()
    with engine.serve(address) as url:
        done = run("audit", "--local", "--engine", url)
    assert done.returncode == 0, done.stderr
    assert {method for method, _ in engine.requests} == {"GET"}


@pytest.mark.parametrize(
    ("answer", "expected", "exit_code"),
    [
        (Response(404, {"message": "No such container"}), "failed", 5),
        (Response(500, {"message": "busy"}), "failed", 5),
        (Response(503, {"message": "later"}), "failed", 5),
        (Response(204), "failed", 5),
        (Response(307, headers=(("Location", "/containers/" + "b" * 64),)), "failed", 5),
        (Response(raw=b""), "unknown", 5),
        (Response(raw=b"HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nhalf"), "unknown", 5),
    ],
)
def test_a_removal_that_did_not_happen_is_never_called_removed(
    run: Run, address: Path, answer: Response, expected: str, exit_code: int
) -> None:
    engine = one()
    engine.on("DELETE", lambda _: answer)
    code, row = sweep(run, engine, address)
    assert (code, outcome(row)) == (exit_code, expected)
    assert [request for request in engine.requests if request[0] == "DELETE"] == [("DELETE", f"/containers/{ID}")]


def test_a_proxy_that_forbids_delete_is_named_with_what_to_allow(run: Run, address: Path) -> None:
    page = b"<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>\n"
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(page)
    engine = one()
    engine.on("DELETE", lambda _: Response(raw=head + page))
    code, row = sweep(run, engine, address)
    assert (code, outcome(row)) == (5, "failed")
    error = row["decisions"][0]["error"]  # type: ignore[index]
    assert error.startswith("the proxy or authorization plugin before the engine forbids this DELETE (HTTP 403: ")
    assert "<" not in error
    assert "allow DELETE of /containers there (docker-socket-proxy: CONTAINERS=1, POST=1)" in error


def test_a_container_that_is_gone_first_is_gone_and_no_failure(run: Run, address: Path) -> None:
    engine = one()

    def vanish(_: object) -> Response:
        engine.containers.clear()
        return Response(404, {"message": "No such container"})

    engine.on("DELETE", vanish)
    code, row = sweep(run, engine, address)
    assert (code, outcome(row)) == (0, "gone")


def test_a_removal_already_in_progress_is_awaited(run: Run, address: Path) -> None:
    engine = one()

    def busy(_: object) -> Response:
        threading.Timer(0.3, engine.containers.clear).start()
        return Response(409, {"message": f"removal of container {ID} is already in progress"})

    engine.on("DELETE", busy)
    code, row = sweep(run, engine, address)
    assert (code, outcome(row)) == (0, "gone")


@pytest.mark.parametrize("field", ["name", "image", "age", "labels"])
def test_what_changed_after_the_plan_is_left_alone(run: Run, address: Path, field: str) -> None:
    engine = one()
    seen = []
    other = {"name": "ws-2", "image": "molecule-local/y:1", "age": timedelta(hours=3), "labels": {"x": "1"}}[field]

    def change(_: object) -> None:
        seen.append(1)
        if len(seen) == 2:
            setattr(engine.containers[ID], field, other)

    engine.on(f"GET /containers/{ID}/json", change)
    code, row = sweep(run, engine, address)
    assert (code, outcome(row)) == (0, "changed")
    assert "DELETE" not in {method for method, _ in engine.requests}


@pytest.mark.parametrize(
    "answer",
    [
        Response(body={"not": "a list"}),
        Response(body=[{"Id": "../images/x", "Names": ["/ws-1"]}]),
        Response(body=[{"Id": ID}, {"Id": ID}]),
        Response(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n[]"),
        Response(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n"),
        Response(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"),
        Response(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200000),
        Response(307, headers=(("Location", "http://other/containers/json"),)),
        Response(500, {"message": "no"}),
        Response(206, []),
    ],
)
def test_a_list_that_cannot_be_trusted_is_not_used(run: Run, address: Path, answer: Response) -> None:
    engine = one()
    engine.on("GET /containers/json", lambda _: answer)
    code, row = sweep(run, engine, address)
    assert (code, row["status"]) == (3, "failed")
    assert row["error"]["phase"] == "engine"  # type: ignore[index]
    assert "DELETE" not in {method for method, _ in engine.requests}


@pytest.mark.parametrize("labels", [None, 7, {"a": 1}, []])
def test_unreadable_labels_protect(run: Run, address: Path, labels: object) -> None:
    engine = ScriptedEngine([ScriptedContainer(ID, labels=labels)])
    _, row = sweep(run, engine, address)
    assert row["decisions"][0]["reason"] == "protected"  # type: ignore[index]
    assert ID in engine.containers


@pytest.mark.parametrize("days", [-365, 365])
def test_a_clock_a_year_off_is_guarded(run: Run, address: Path, days: int) -> None:
    engine = ScriptedEngine([ScriptedContainer(ID)], offset=timedelta(days=days))
    code, row = sweep(run, engine, address)
    assert (code, row["status"]) == (4, "guarded")
    assert ID in engine.containers


def test_an_engine_that_accepts_and_then_is_silent_ends_with_the_hosts_deadline(run: Run, address: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(address))
        silent.listen()
        done = run("audit", "--local", "--engine", f"unix://{address}", "--host-timeout", "1s", "--format", "json")
    (row,) = json.loads(done.stdout)["hosts"]
    assert done.returncode == 3
    assert row["error"]["kind"] == "timeout"


def test_an_ssh_port_that_never_speaks_ends_with_the_connect_deadline(run: Run, tmp_path: Path) -> None:
    key = str(tmp_path / "key")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        done = run("audit", "--host", target, "--private-key", key, "-T", "1s", "--format", "json")
    (row,) = json.loads(done.stdout)["hosts"]
    assert done.returncode == 3
    assert (row["status"], row["error"]["phase"]) == ("unreachable", "connect")


def test_ten_thousand_containers_are_surveyed(run: Run, address: Path) -> None:
    young = [ScriptedContainer(f"{number:064x}", age=timedelta(minutes=5)) for number in range(10_000)]
    engine = ScriptedEngine(young)
    code, row = sweep(run, engine, address)
    assert (code, row["containers"], row["stale"]) == (0, 10_000, 0)
    assert [path for _, path in engine.requests] == ["/containers/json", "/info"]


def test_an_unexpected_number_of_hosts_contacts_no_host(run: Run, address: Path) -> None:
    engine = one()
    code, row = sweep(run, engine, address, "--expect", "2..5")
    assert (code, row["status"]) == (4, "guarded")
    assert engine.requests == []


def test_the_demo_runs_without_daemons_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab.demo", "--scripted"], check=False, capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("No real daemons:")
    assert done.stdout.count("ok: ") == 5
