"""A scripted Docker engine: for faults that a real one can't produce on demand, and for large fleets."""

from __future__ import annotations

import json
import re
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


@dataclass(slots=True)
class ScriptedContainer:
    """One container; ``age`` is since creation, and since its start unless ``started_age`` says otherwise.

    A ``started_age`` of None means that it never started. ``labels`` may be any JSON value. ``moved`` means that the
    image's tag now belongs to a newer image.
    """

    id: str
    name: str = "ws-1"
    image: str = "molecule-local/workspace-template-x:1"
    state: str = "running"
    age: timedelta = timedelta(days=2)
    labels: object = field(default_factory=dict)
    started_age: timedelta | None = timedelta.max
    moved: bool = False
    host_config: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response. ``raw`` replaces head and body; the connection is closed after it."""

    status: int = 200
    body: object = None
    headers: tuple[tuple[str, str], ...] = ()
    raw: bytes | None = None


Hook = Callable[[re.Match[str]], Response | None]


class ScriptedEngine:
    """Serves the few Docker API calls that fleetsweep uses, on a Unix socket.

    ``requests`` are the requests it received, ``targets`` their paths as sent. It refuses API versions newer than
    ``api`` and older than ``oldest_api``. ``server`` and ``libpod`` are header values. ``closing`` closes the
    connection after each response; responses for the path ``nameless`` have no Api-Version header.
    """

    def __init__(self, containers: list[ScriptedContainer], *, offset: timedelta = timedelta(0)) -> None:
        self.containers = {container.id: container for container in containers}
        self.offset = offset
        self.requests: list[tuple[str, str]] = []
        self.api = "1.41"
        self.oldest_api = "1.24"
        self.id = "ABCD:EFGH"
        self.targets: list[str] = []
        self.closing = False
        self.nameless = ""
        self.server = "Docker/20.10.24 (linux)"
        self.libpod = ""
        self.began = datetime.now(UTC).replace(microsecond=0)
        self._hooks: list[tuple[re.Pattern[str], Hook]] = []
        self.lock = threading.Lock()

    def now(self) -> datetime:
        """Return the time of the engine's clock."""
        return datetime.now(UTC) + self.offset

    def on(self, pattern: str, hook: Hook) -> None:
        """Call ``hook`` for requests whose ``METHOD /path`` matches; None lets the engine respond."""
        self._hooks.append((re.compile(pattern), hook))

    def answer(self, method: str, target: str) -> Response:
        """Return the response to one request."""
        path = re.sub(r"^/v[\d.]+", "", urlsplit(target).path)
        with self.lock:
            self.requests.append((method, path))
            self.targets.append(urlsplit(target).path)
        if (refused := self._refused_version(target)) is not None:
            return refused
        for pattern, hook in self._hooks:
            found = pattern.search(f"{method} {path}")
            response = hook(found) if found else None
            if response is not None:
                return response
        if path == "/_ping":
            return Response(body="OK")
        if path == "/info":
            return Response(body={"ID": self.id})
        if path == "/containers/json":
            return Response(body=[self._listed(container) for container in list(self.containers.values())])
        return self._one(method, path, parse_qs(urlsplit(target).query))

    def _refused_version(self, target: str) -> Response | None:
        version = re.match(r"/v1\.(\d+)/", target)
        if version and int(version[1]) > int(self.api.partition(".")[2]):
            return Response(400, {"message": f"client version is too new. Maximum supported API version is {self.api}"})
        if version and int(version[1]) < int(self.oldest_api.partition(".")[2]):
            told = f"client version 1.{version[1]} is too old. Minimum supported API version is {self.oldest_api}, "
            return Response(400, {"message": f"{told}please upgrade your client to a newer version"})
        return None

    def _one(self, method: str, path: str, query: dict[str, list[str]]) -> Response:
        parts = path.split("/")
        container = self.containers.get(parts[2]) if len(parts) > 2 else None
        if container is None:
            return Response(404, {"message": "No such container"})
        if method == "GET":
            return Response(body=self._inspected(container))
        if container.state in {"running", "paused"} and query.get("force") != ["True"]:
            return Response(409, {"message": "You cannot remove a running container"})
        with self.lock:
            self.containers.pop(container.id, None)
        return Response(204)

    def created(self, container: ScriptedContainer) -> datetime:
        """Return when a container was created, by the engine's clock."""
        return self.began - container.age + self.offset

    def _started(self, container: ScriptedContainer) -> str:
        if container.started_age is None:
            return "0001-01-01T00:00:00Z"
        age = container.age if container.started_age == timedelta.max else container.started_age
        return (self.began - age + self.offset).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _listed(self, container: ScriptedContainer) -> dict[str, object]:
        return {
            "Id": container.id,
            "Names": [f"/{container.name}"],
            "Image": "sha256:" + "0" * 64 if container.moved else container.image,
            "ImageID": "sha256:" + "0" * 64,
            "Created": int(self.created(container).timestamp()),
            "State": container.state,
            "Labels": container.labels,
            "HostConfig": {"NetworkMode": container.host_config.get("NetworkMode", "none")},
        }

    def _inspected(self, container: ScriptedContainer) -> dict[str, object]:
        stamp = self.created(container).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "Id": container.id,
            "Name": f"/{container.name}",
            "Created": stamp,
            "Image": "sha256:" + "0" * 64,
            "RestartCount": 0,
            "State": {"Status": container.state, "StartedAt": self._started(container)},
            "Config": {"Image": container.image, "Labels": container.labels},
            "HostConfig": {"NetworkMode": "none", "IpcMode": "private", "PidMode": "", **container.host_config},
        }

    @contextmanager
    def serve(self, path: Path) -> Iterator[str]:
        """Listen on a Unix socket while the block runs; yield its URL."""
        engine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._reply("GET")

            def do_DELETE(self) -> None:
                self._reply("DELETE")

            def _reply(self, method: str) -> None:
                response = engine.answer(method, self.path)
                if response.raw is not None:
                    self.wfile.write(response.raw)
                    self.close_connection = True
                    return
                body = b"" if response.body is None else json.dumps(response.body).encode()
                self.send_response_only(response.status)
                self.send_header("Date", engine.now().strftime("%a, %d %b %Y %H:%M:%S GMT"))
                self.send_header("Server", engine.server)
                if engine.libpod:
                    self.send_header("Libpod-Api-Version", engine.libpod)
                if not (engine.nameless and urlsplit(self.path).path.endswith(engine.nameless)):
                    self.send_header("Api-Version", engine.api)
                if engine.closing:
                    self.send_header("Connection", "close")
                self.send_header("Content-Type", "application/json")
                for name, value in response.headers:
                    self.send_header(name, value)
                if response.status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
            request_queue_size = 512

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that hung up is no news."""

        with Server(str(path), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            try:
                yield f"unix://{path}"
            finally:
                server.shutdown()
                thread.join()
