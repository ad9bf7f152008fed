"""One Docker Engine over a stream: survey it, inspect, remove.

Calls and their answers: Docker Engine API, https://docs.docker.com/reference/api/engine/.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final

import requests
import urllib3

from fleetsweep.deadline import Deadline
from fleetsweep.engine.adapter import BASE_URL, Dial, StreamAdapter
from fleetsweep.engine.answers import FULL_ID, merge, parse_date, parse_inspect, parse_list
from fleetsweep.engine.sdk import docker
from fleetsweep.errors import EngineError, HostError, LostAnswer, Phase
from fleetsweep.model import SECOND, Container, Engine

READ_ONLY: Final = frozenset({"GET"})
MAY_REMOVE: Final = frozenset({"GET", "DELETE"})

OLDEST_API: Final = (1, 24)
NEWEST_API: Final = (1, 44)
"""The newest version that is asked for: engines that speak a newer one still speak this."""

AT_ONCE: Final = 4
"""Inspects at a time, and so connections, on one engine."""

_WORTH_A_CONNECTION: Final = 8
"""Inspects. With fewer, another connection costs more than it saves."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The containers of one list, the engine's clock at that moment, and how far it is from ours.

    ``now_ns`` is nanoseconds since the epoch; ``skew_s`` is engine time minus controller time.
    """

    containers: tuple[Container, ...]
    now_ns: int
    skew_s: float


class EngineClient:
    """An engine that has said who it is. Threads may share it when it was given several connections."""

    def __init__(self, dial: Dial, via: str, deadline: Deadline, methods: frozenset[str], connections: int = 1) -> None:
        self._deadline = deadline
        self._connections = connections
        self._adapter = StreamAdapter(dial, deadline, methods, connections)
        try:
            self.engine = self._hello(via)
            self._api = self._sdk_client(self.engine.api)
        except BaseException:
            self._adapter.close()
            raise

    def close(self) -> None:
        """Close the connections to the engine."""
        self._adapter.close()

    def list_containers(self) -> Listing:
        """Every container, running or not, with one request. Raises HostError."""
        with self._translated("the container list"):
            asked = time.time()
            headers: list[requests.structures.CaseInsensitiveDict[str]] = []
            self._api.hooks["response"] = [lambda response, *_, **__: headers.append(response.headers)]
            try:
                answer = self._api.containers(all=True)
            finally:
                self._api.hooks["response"] = []
            answered = time.time()
            now_ns = parse_date(headers[-1])
            # The header was rounded down to its second: on average it is half a second behind.
            skew_s = now_ns / SECOND + 0.5 - (asked + answered) / 2
            return Listing(tuple(parse_list(answer)), now_ns, skew_s)

    def survey(self, needs_inspection: Callable[[Container, int], bool]) -> Listing:
        """The list, with every container inspected for which ``needs_inspection(container, now_ns)`` holds.

        One that is gone by the time it is inspected is left out. Raises HostError.
        """
        listing = self.list_containers()
        wanted = [listed.id for listed in listing.containers if needs_inspection(listed, listing.now_ns)]
        found = self._inspect_all(wanted)
        containers = []
        for listed in listing.containers:
            inspected = found.get(listed.id, listed)
            if inspected is not None:
                containers.append(merge(listed, inspected) if listed.id in found else listed)
        return Listing(tuple(containers), listing.now_ns, listing.skew_s)

    def _inspect_all(self, container_ids: Sequence[str]) -> dict[str, Container | None]:
        """All of them inspected, over as many connections as are worth it. Raises HostError, the first there was."""
        crew_size = min(self._connections, -(-len(container_ids) // _WORTH_A_CONNECTION))
        waiting: SimpleQueue[str] = SimpleQueue()
        for container_id in container_ids:
            waiting.put(container_id)
        found: dict[str, Container | None] = {}
        failures: list[Exception] = []

        def take() -> None:
            while not failures:
                try:
                    container_id = waiting.get_nowait()
                except Empty:
                    return
                try:
                    found[container_id] = self.inspect(container_id)
                except Exception as error:  # it is raised in the calling thread, once the others have ended
                    failures.append(error)

        # The calling thread is one of the crew, so that the usual few need no other.
        crew = [
            threading.Thread(target=take, name="fleetsweep-inspect", daemon=True) for _ in range(max(0, crew_size - 1))
        ]
        for thread in crew:
            thread.start()
        take()
        for thread in crew:
            thread.join()
        if failures:
            raise failures[0]
        return found

    def inspect(self, container_id: str) -> Container | None:
        """One container as it is now; None if the engine has none of that id. Raises HostError."""
        _check_id(container_id)
        try:
            with self._translated("an inspect answer"):
                return parse_inspect(self._api.inspect_container(container_id), container_id)
        except EngineError as error:
            if error.http_status == 404:
                return None
            raise

    def engine_id(self) -> str | None:
        """The engine's own identity, from ``/info``; None if it tells none. Raises HostError."""
        with self._translated("the answer to /info"):
            answer: object = self._api.info()
        found = answer.get("ID") if isinstance(answer, dict) else None
        return found if isinstance(found, str) and found else None

    def round_trip_s(self) -> float:
        """Seconds that the smallest question takes over a connection that is open already. Raises HostError."""
        with self._translated("the answer to /_ping"):
            asked = time.monotonic()
            self._adapter.send(requests.Request("GET", f"{BASE_URL}/_ping").prepare())
            return time.monotonic() - asked

    def remove(self, container_id: str, *, force: bool, volumes: bool) -> None:
        """Ask the engine to remove one container, once. It did when this returns.

        ``force`` kills it first; ``volumes`` takes its anonymous volumes along. Raises EngineError with the HTTP
        status when the engine refused, LostAnswer when it can't be known.
        """
        _check_id(container_id)
        with self._translated("the answer to a removal"):
            self._api.remove_container(container_id, v=volumes, link=False, force=force)

    def _hello(self, via: str) -> Engine:
        """``/_ping`` costs a twentieth of ``/version`` and says all that is needed."""
        with self._translated("the answer to /_ping"):
            response = self._adapter.send(requests.Request("GET", f"{BASE_URL}/_ping").prepare())
            if response.status_code != 200:
                raise EngineError(
                    "not-an-engine",
                    f"/_ping was answered with {response.status_code}",
                    "check which service answers at the engine's address",
                    http_status=response.status_code,
                )
            self.now_ns = parse_date(response.headers)
            server = response.headers.get("Server", "")[:200]
            version = _negotiate(response.headers.get("Api-Version", ""), server)
        kind = "podman" if server.startswith("Libpod") else "docker"
        return Engine(kind, server, version, via)

    def _sdk_client(self, version: str) -> docker.APIClient:
        api = docker.APIClient(base_url=BASE_URL, version=version)
        # Nothing of the operator's own Docker configuration, proxies or .netrc may colour what is sent.
        api.trust_env = False
        api.max_redirects = 0
        api.headers.clear()
        api.headers.update({"User-Agent": "fleetsweep", "Accept": "application/json"})
        api.adapters.clear()
        api.mount("http://", self._adapter)
        return api

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        """Turn every foreign exception of a request into one of ours."""
        try:
            yield
        except HostError:
            raise
        except docker.errors.APIError as error:
            status = error.response.status_code if error.response is not None else None
            explanation = str(error.explanation or error)[:500]
            raise EngineError("refused", f"HTTP {status}: {explanation}", http_status=status) from error
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise EngineError("invalid-answer", f"{what} is not usable JSON: {type(error).__name__}") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, EOFError) as error:
            if self._deadline.expired:
                raise LostAnswer(
                    Phase.ENGINE,
                    "timeout",
                    f"{what} did not come within {self._deadline.seconds:.0f} s",
                    "look at the load of the engine, or raise --host-timeout",
                ) from error
            raise LostAnswer(
                Phase.ENGINE,
                "lost",
                f"the connection ended before {what} was whole",
                "look at the engine's log on the box",
            ) from error
        except docker.errors.DockerException as error:
            raise EngineError("sdk", f"{what}: {str(error)[:500]}") from error


def _negotiate(offered: str, server: str) -> str:
    """The API version to speak: the engine's own, or the newest that is known here. Raises EngineError."""
    found = re.fullmatch(r"(\d{1,3})\.(\d{1,3})", offered, re.ASCII)
    if found is None:
        raise EngineError(
            "not-an-engine",
            f"/_ping was answered without a usable Api-Version ({offered[:20]!r})",
            "check which service answers at the engine's address",
        )
    newest = (int(found[1]), int(found[2]))
    if newest < OLDEST_API or newest[0] != 1:
        raise EngineError(
            "api-version",
            f"{server or 'the engine'} speaks API {offered}; {OLDEST_API[0]}.{OLDEST_API[1]} or a newer 1.x is needed",
            "update the engine on the box" if newest < OLDEST_API else "update fleetsweep",
        )
    major, minor = min(newest, NEWEST_API)
    return f"{major}.{minor}"


def _check_id(container_id: str) -> None:
    if FULL_ID.fullmatch(container_id) is None:
        raise ValueError(f"{container_id!r} is not a full container id")
