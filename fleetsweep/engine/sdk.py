"""The Docker SDK over any byte stream, imported without the SSH client that it would bring along.

The SDK imports paramiko for an adapter of its own that is never used here. That is half of the SDK's import time,
and a run on this machine's own engine needs no SSH at all. Where the adapter can't be imported the SDK does without.
"""

from __future__ import annotations

import contextlib
import copy
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import urlencode

import requests

from fleetsweep.engine.http11 import BODY_LIMIT, ONE_LIMIT, Response
from fleetsweep.engine.pool import ConnectionPool
from fleetsweep.engine.strict_json import read_document, read_list, words_of
from fleetsweep.errors import EngineError

_UNUSED = "docker.transport.sshconn"

if _UNUSED in sys.modules:
    import docker
    import docker.errors
else:
    # None makes an import of it fail, as if the SDK had been installed without its "ssh" extra.
    sys.modules[_UNUSED] = None  # type: ignore[assignment]
    try:
        import docker
        import docker.errors
    finally:
        del sys.modules[_UNUSED]

__all__ = ["ApiClient", "docker", "list_target"]

_BASE_URL: Final = "http://engine:80"
_ANY_ID: Final = "0" * 64
_LISTS: Final = ("/containers/json", "/volumes", "/networks")


class _Heard(requests.Response):
    """An answer as the SDK's session has it, whose body is read by ``decode`` alone."""

    def __init__(self, answer: Response, url: str) -> None:
        super().__init__()
        self.answer = answer
        self.status_code = answer.status
        self.reason = answer.reason
        self.url = url
        self._content = b""
        self._content_consumed = True

    def json(self, **unused: object) -> object:
        """The value that the engine sent; a long list as Entries. Raises Unusable."""
        return read_list(self.answer.body) if self.url.endswith(_LISTS) else read_document(self.answer.body)


class ApiClient(docker.APIClient):
    """The SDK's client, whose requests go over an exchange and nowhere else.

    ``last`` is the answer that came last, without its body. The SDK spells the requests. Nothing of the operator's own
    Docker configuration, proxies or .netrc colours what is sent.
    """

    exchange: ConnectionPool
    last: Response | None = None
    within: float | None = None
    fresh: bool = False

    @classmethod
    def over(cls, exchange: ConnectionPool, version: str) -> ApiClient:
        """A client that speaks one version of the API."""
        # The SDK reads files and builds pools for each client that it makes; its clients can be copied.
        client = copy.copy(_prototype(version))
        client.exchange = exchange
        return client

    def bounded(self, within: float | None, *, fresh: bool = False) -> ApiClient:
        """The same client, for whose answers ``ConnectionPool.ask``'s bounds hold: ``within`` so many seconds each."""
        client = ApiClient.over(self.exchange, self.api_version)
        client.within = within
        client.fresh = fresh
        return client

    def pipeline_inspects(self, container_ids: Sequence[str]) -> None:
        """Send the requests of ``inspect_container`` for these, who must be inspected next and in this order."""
        self.exchange.pipeline([self.inspect_target(one) for one in container_ids])

    def inspect_target(self, container_id: str) -> str:
        """The request target by which the SDK inspects a container."""
        before, after = _around_an_id(self.api_version)
        return before + container_id + after

    def kill_and_remove(self, container_id: str, version: str, *, volumes: bool) -> None:
        """Remove a container by Podman's own API, without waiting for it to end by itself."""
        # https://docs.podman.io/en/latest/_static/api.html: ContainerDeleteLibpod
        url = f"{_BASE_URL}/v{version}/libpod/containers/{container_id}"
        answered = self.request("DELETE", url, params={"force": True, "timeout": 0, "v": volumes})
        self._raise_for_status(answered)

    def request(  # type: ignore[override]  # the SDK gives no more than this
        self, method: str, url: str, params: Mapping[str, object] | None = None, **unused: object
    ) -> requests.Response:
        """As the SDK's session has it."""
        given = {key: value for key, value in (params or {}).items() if value is not None}
        target = _target(url) + (f"?{urlencode(given)}" if given else "")
        limit = BODY_LIMIT if url.endswith(_LISTS) else ONE_LIMIT
        answer = self.exchange.ask(method, target, within=self.within, fresh=self.fresh, limit=limit)
        self.last = Response(answer.status, answer.reason, answer.headers, b"", answer.closes)
        return _Heard(answer, url)

    def _raise_for_status(self, response: requests.Response) -> None:
        # The SDK takes it for granted that an error's body is an object with a message.
        if isinstance(response, _Heard) and response.answer.refuses:
            raise refusal(response.answer)


def refusal(answer: Response) -> EngineError:
    """An answer whose status says that what was asked for was not done."""
    remedy = "see what the proxy before the engine allows" if answer.status in {401, 403, 405} else ""
    return EngineError("refused", f"HTTP {answer.status}: {words_of(answer)}", remedy, http_status=answer.status)


@lru_cache(maxsize=8)
def list_target(version: str) -> str:
    """The request target by which the SDK asks for all containers, for sending it ahead."""
    return _spelled(version, lambda client: client.containers(all=True))


@lru_cache(maxsize=8)
def _around_an_id(version: str) -> tuple[str, str]:
    """What stands before and after a full id in the target by which the SDK inspects a container."""
    before, _, after = _spelled(version, lambda client: client.inspect_container(_ANY_ID)).partition(_ANY_ID)
    return before, after


def _spelled(version: str, call: Callable[[ApiClient], object]) -> str:
    """The target that the SDK asks for in ``call``, which sends nothing."""
    client = copy.copy(_prototype(version))
    client.exchange = recorder = _Recorder()
    with contextlib.suppress(_Recorded):
        call(client)
    return recorder.target


class _Recorded(Exception):
    """The request was spelled: it need not be sent."""


class _Recorder(ConnectionPool):
    """An exchange that sends nothing, and keeps the target that it was asked for."""

    def __init__(self) -> None:
        self.target = ""

    def ask(self, method: str, target: str, **_: object) -> Response:
        """Keep the target. Raises _Recorded."""
        self.target = target
        raise _Recorded


def _target(url: str) -> str:
    return url.removeprefix(_BASE_URL)


@lru_cache(maxsize=8)
def _prototype(version: str) -> ApiClient:
    return ApiClient(base_url=_BASE_URL, version=version)
