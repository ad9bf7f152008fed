"""The Docker SDK over our own connection pool, imported without paramiko and the tables of text encodings.

The SDK imports paramiko for its own SSH adapter, which is never used here. That is half of the SDK's import time, and a
run on the local engine needs no SSH at all. The SDK works without the adapter when its import fails.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import urlencode

from fleetsweep.engine.http11 import BODY_LIMIT, ONE_LIMIT, Response
from fleetsweep.engine.pool import ConnectionPool
from fleetsweep.engine.strict_json import error_text, read_document, read_list
from fleetsweep.errors import EngineError, FaultKind
from fleetsweep.runtime.lean_imports import stand_in, stand_ins


def _detect(data: bytes) -> object:
    """Detect a text's encoding, for other code that uses requests: no response of an engine needs it."""
    from charset_normalizer import detect

    return detect(data)


# None makes the import fail, as if the SDK were installed without its "ssh" extra.
with stand_ins(
    {
        "docker.transport.sshconn": None,
        "chardet": None,
        "charset_normalizer": stand_in("charset_normalizer", __version__="3.0.0", detect=_detect),
    }
):
    import docker
    import docker.errors
    import requests

__all__ = ["ApiClient", "docker", "list_target"]

_BASE_URL: Final = "http://engine:80"
_ANY_ID: Final = "0" * 64
_LISTS: Final = ("/containers/json", "/volumes", "/networks")


class _SdkResponse(requests.Response):
    """A response in the type that the SDK expects. Its body is decoded by ``strict_json`` alone."""

    def __init__(self, response: Response, url: str, method: str) -> None:
        super().__init__()
        self.response = response
        self.method = method
        self.status_code = response.status
        self.reason = response.reason
        self.url = url
        self._content = b""
        self._content_consumed = True

    def json(self, **unused: object) -> object:
        """Return the decoded body; a long list as Entries. Raises InvalidJson."""
        return read_list(self.response.body) if self.url.endswith(_LISTS) else read_document(self.response.body)


class ApiClient(docker.APIClient):
    """The SDK's client, which builds the requests; they are sent over a connection pool and nowhere else.

    ``last`` is the last response, without its body. The operator's Docker configuration, proxies and .netrc are not
    used.
    """

    pool: ConnectionPool
    last: Response | None = None
    within: float | None = None
    fresh: bool = False

    @classmethod
    def over(cls, pool: ConnectionPool, version: str) -> ApiClient:
        """Return a client for one version of the API."""
        # The SDK reads files and builds pools for each new client. Copying one is far cheaper.
        client = cls.__new__(cls)
        client.__dict__.update(_prototype(version).__dict__, pool=pool)
        return client

    def bounded(self, within: float | None, *, fresh: bool = False) -> ApiClient:
        """Return the same client with ``ConnectionPool.request``'s ``within`` (seconds) and ``fresh`` set."""
        client = ApiClient.over(self.pool, self.api_version)
        client.within = within
        client.fresh = fresh
        return client

    def pipeline_inspects(self, container_ids: Sequence[str]) -> None:
        """Send the inspect requests of these containers. They must be inspected next, in this order."""
        self.pool.pipeline([self.inspect_target(one) for one in container_ids])

    def inspect_target(self, container_id: str) -> str:
        """Return the request target with which the SDK inspects a container."""
        before, after = _inspect_target_parts(self.api_version)
        return before + container_id + after

    def kill_and_remove(self, container_id: str, version: str, *, volumes: bool) -> None:
        """Remove a container by Podman's own API, with no stop timeout before it is killed."""
        # https://docs.podman.io/en/latest/_static/api.html: ContainerDeleteLibpod
        url = f"{_BASE_URL}/v{version}/libpod/containers/{container_id}"
        response = self.request("DELETE", url, params={"force": True, "timeout": 0, "v": volumes})
        self._raise_for_status(response)

    def request(  # type: ignore[override]  # the SDK passes no more than these
        self, method: str, url: str, params: Mapping[str, object] | None = None, **unused: object
    ) -> requests.Response:
        """Send one request over the pool, in place of requests' own session."""
        query = {key: value for key, value in (params or {}).items() if value is not None}
        target = _target(url) + (f"?{urlencode(query)}" if query else "")
        limit = BODY_LIMIT if url.endswith(_LISTS) else ONE_LIMIT
        response = self.pool.request(method, target, within=self.within, fresh=self.fresh, limit=limit)
        self.last = Response(response.status, response.reason, response.headers, b"", response.closes)
        return _SdkResponse(response, url, method)

    def _raise_for_status(self, response: requests.Response) -> None:
        # The SDK's own version expects every error's body to be an object with a message.
        if isinstance(response, _SdkResponse) and response.response.failed:
            raise refusal(response.response, response.method, _target(response.url))


def refusal(response: Response, method: str = "GET", target: str = "/containers/json") -> EngineError:
    """Return the error for a response whose status is not a success."""
    text = f"HTTP {response.status}: {error_text(response)}"
    if response.status not in {401, 403, 405} or _is_the_engines_own(response):
        return EngineError(FaultKind.REFUSED, text, http_status=response.status)
    # /v1.41/containers/ID and /v4.3.1/libpod/containers/ID are both of "containers".
    part = re.sub(r"^(/v[\d.]+)?(/libpod)?/", "", target, flags=re.ASCII).partition("/")[0]
    setting = f"{part.strip('_').upper()}=1" + ("" if method == "GET" else ", POST=1")
    return EngineError(
        FaultKind.REFUSED,
        f"the proxy or authorization plugin before the engine forbids this {method} ({text})",
        f"allow {method} of /{part} there (docker-socket-proxy: {setting}), or set fleetsweep_engine to the engine's "
        "own socket",
        http_status=response.status,
    )


def _is_the_engines_own(response: Response) -> bool:
    """Whether the engine refused by itself, as Docker with 403 for a network that has active endpoints."""
    from_engine = "api-version" in response.headers and response.body.lstrip()[:1] == b"{"
    return from_engine and b"denied by plugin" not in response.body


@lru_cache(maxsize=8)
def list_target(version: str) -> str:
    """Return the request target with which the SDK lists all containers, for pipelining it."""
    return _record_target(version, lambda client: client.containers(all=True))


@lru_cache(maxsize=8)
def _inspect_target_parts(version: str) -> tuple[str, str]:
    """Return the parts before and after the id in the target with which the SDK inspects a container."""
    before, _, after = _record_target(version, lambda client: client.inspect_container(_ANY_ID)).partition(_ANY_ID)
    return before, after


def _record_target(version: str, call: Callable[[ApiClient], object]) -> str:
    """Return the request target that the SDK builds in ``call``. Nothing is sent."""
    recorder = _Recorder()
    client = ApiClient.over(recorder, version)
    with contextlib.suppress(_Recorded):
        call(client)
    return recorder.target


class _Recorded(Exception):
    """The target was recorded; the request is not sent."""


class _Recorder(ConnectionPool):
    """A connection pool that sends nothing and records the request's target."""

    def __init__(self) -> None:
        self.target = ""

    def request(self, method: str, target: str, **_: object) -> Response:
        """Record the target. Raises _Recorded."""
        self.target = target
        raise _Recorded


def _target(url: str) -> str:
    return url.removeprefix(_BASE_URL)


@lru_cache(maxsize=8)
def _prototype(version: str) -> ApiClient:
    return ApiClient(base_url=_BASE_URL, version=version)
