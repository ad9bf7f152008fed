"""The gate on real proxies: raw requests before a scripted engine, whole commands before a real one."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fleetsweep.schedule import Proxy
from fleetsweep.schedule.gate import REFUSAL
from tests.conftest import Run
from tests.lab import gate_requests as requests
from tests.lab.gate import gate_of_root, send
from tests.lab.scripted_engine import Response, ScriptedContainer, ScriptedEngine
from tests.lab.workdir import Workdir, deletes, leaks

pytestmark = pytest.mark.lab

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


class Guarded:
    """A gate and the engine behind it."""

    def __init__(self, proxy: Proxy, address: Path, engine: ScriptedEngine) -> None:
        self.proxy = proxy
        self.address = address
        self.engine = engine

    def refuses(self, request: bytes) -> bytes:
        """Check that bytes bring no response but refusals, and that none of them reaches the engine. Return all."""
        self.engine.requests.clear()
        received = send(self.address, request, end=True)
        assert self.engine.requests == []
        assert all(status[:1] in b"45" for status in STATUS.findall(received)), received
        return received

    def status_of(self, request: str) -> int:
        """Return the status of the response to one request, which is followed by a second one on its connection."""
        self.engine.requests.clear()
        last = b"GET /last HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n"
        received = send(self.address, requests.as_bytes(request) + last, end=False)
        found = STATUS.findall(received)
        assert found[1:] == [b"403"], received
        return int(found[0])


@contextmanager
def guarded(proxy: Proxy, *, resources: bool, podman: bool) -> Iterator[Guarded]:
    engine = ScriptedEngine([ScriptedContainer(requests.ID)])
    with tempfile.TemporaryDirectory(prefix="fs-") as name:
        directory = Path(name)
        socket = directory / "e.sock"
        with (
            engine.serve(socket),
            gate_of_root(proxy, directory / "g", socket, resources=resources, podman=podman) as address,
        ):
            yield Guarded(proxy, address, engine)


@pytest.fixture(scope="module", params=Proxy)
def closed(request: pytest.FixtureRequest) -> Iterator[Guarded]:
    """A gate without options."""
    with guarded(request.param, resources=False, podman=False) as ready:
        yield ready


@pytest.fixture(scope="module", params=Proxy)
def open_(request: pytest.FixtureRequest) -> Iterator[Guarded]:
    """A gate with every option."""
    with guarded(request.param, resources=True, podman=True) as ready:
        yield ready


@pytest.mark.parametrize("request_", requests.ALLOWED)
def test_what_a_sweep_sends_reaches_the_engine(closed: Guarded, request_: str) -> None:
    method, _, target = request_.partition(" ")
    closed.engine.containers[requests.ID] = ScriptedContainer(requests.ID, state="exited")
    assert closed.status_of(request_) != 403
    assert [sent for sent, _ in closed.engine.requests] == [method]
    assert closed.engine.targets[-1] == target.partition("?")[0]


@pytest.mark.parametrize("request_", [*requests.RESOURCES, *requests.PODMAN])
def test_the_options_let_more_pass(closed: Guarded, open_: Guarded, request_: str) -> None:
    assert closed.status_of(request_) == 403
    assert closed.engine.requests == []
    assert open_.status_of(request_) != 403
    assert len(open_.engine.requests) == 1


@pytest.mark.parametrize("request_", [*requests.REFUSED, *requests.REFUSED_RESOURCES, *requests.REFUSED_PODMAN])
def test_all_else_is_refused_in_words(open_: Guarded, request_: str) -> None:
    received = open_.refuses(requests.as_bytes(request_))
    method, _, target = request_.partition(" ")
    # A proxy refuses in its own words what is not valid HTTP.
    valid = (
        method.isupper() and target.startswith(("/", "http://engine/")) and "\\" not in target and "%00" not in target
    )
    if valid and method != "HEAD":
        assert STATUS.findall(received) == [b"403"]
        assert received.endswith(f'{{"message":"{REFUSAL}"}}'.encode())


@pytest.mark.parametrize("case", requests.RAW)
def test_bodies_upgrades_and_smuggled_requests_are_refused(open_: Guarded, case: str) -> None:
    open_.refuses(requests.RAW[case])


@pytest.mark.parametrize("length", [b"", b"Content-Length: 0\r\n"])
def test_no_header_of_a_client_reaches_the_engine(closed: Guarded, length: bytes) -> None:
    seen: list[str] = []
    with tempfile.TemporaryDirectory(prefix="fs-") as name:
        socket = Path(name) / "e.sock"
        with recording(socket, seen), gate_of_root(closed.proxy, Path(name) / "g", socket) as address:
            extra = b"X-Registry-Auth: a\r\nAuthorization: b\r\nExpect: 100-continue\r\nCookie: c\r\nTE: trailers\r\n"
            head = f"DELETE /containers/{requests.ID} HTTP/1.1\r\nHost: other\r\n".encode()
            received = send(address, head + extra + length + b"Connection: close\r\n\r\n", end=False)
            assert b"HTTP/1.1 200 OK" in received
    (head_seen,) = seen
    names = {line.partition(":")[0].lower() for line in head_seen.splitlines()[1:]}
    assert names <= {"host", "connection", "content-length"}, head_seen
    assert "content-length" not in names or "content-length: 0" in head_seen.lower()
    assert "host: engine" in head_seen.lower()
    assert "other" not in head_seen


@contextmanager
def recording(path: Path, seen: list[str]) -> Iterator[None]:
    """A server that notes the head of each request."""
    import socketserver
    import threading

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            lines = []
            while (line := self.rfile.readline().strip()) != b"":
                lines.append(line.decode())
            if lines:
                seen.append("\n".join(lines))
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")

    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("proxy", Proxy)
def test_a_long_pipeline_passes_in_order_over_one_connection(proxy: Proxy, workdir: Workdir, run: Run) -> None:
    """nginx ends a connection after its thousandth request, unless the configuration allows more."""
    engine = ScriptedEngine(leaks(1500))
    with (
        engine.serve(workdir.socket),
        gate_of_root(proxy, workdir.directory / "g", workdir.socket) as address,
    ):
        options = [*workdir.local(f"unix://{address}"), "--cap", "none", "--format", "json"]
        done = run("audit", *options)
        assert (done.returncode, done.stderr) == (0, "")
        report = json.loads(done.stdout)
        assert report["totals"]["stale"] == 1500
        assert len(engine.requests) == 1501
        engine.containers = {each.id: each for each in leaks(40)}
        done = run("sweep", *options, "--yes")
        assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["totals"]["removed"] == 40
    assert len(deletes(engine)) == 40


@pytest.mark.parametrize("proxy", Proxy)
def test_a_response_that_is_lost_is_not_a_refusal(proxy: Proxy, workdir: Workdir, run: Run) -> None:
    """The outcome of a removal is the same as without the gate."""
    outcomes = []
    for way in ("direct", "gate"):
        engine = ScriptedEngine(leaks(1))
        engine.on("DELETE", lambda _: Response(raw=b""))
        socket = workdir.directory / f"{way}.sock"
        with engine.serve(socket), gate_of_root(proxy, workdir.directory / f"g-{way}", socket) as address:
            done = run(*workdir.sweep(f"unix://{address if way == 'gate' else socket}"))
        (decision,) = json.loads(done.stdout)["hosts"][0]["decisions"]
        outcomes.append((done.returncode, decision["outcome"], len(deletes(engine))))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("proxy", Proxy)
def test_an_engine_that_does_not_listen_is_reported(proxy: Proxy, workdir: Workdir, run: Run) -> None:
    with gate_of_root(proxy, workdir.directory / "g", workdir.directory / "none.sock") as address:
        done = run("audit", *workdir.local(f"unix://{address}"), "--format", "json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["hosts"][0]["error"]["phase"] == "engine"
