"""The Docker SDK's requests: their exact targets, and that they use our pool alone."""

from __future__ import annotations

import pytest

from fleetsweep.engine import MAY_REMOVE
from fleetsweep.engine.http11 import Response
from fleetsweep.engine.pool import ConnectionPool
from fleetsweep.engine.sdk import ApiClient, list_target, refusal
from fleetsweep.engine.strict_json import InvalidJson
from fleetsweep.errors import EngineError
from tests.engine.test_client import IDS, Sent, dial_of, engine_of
from tests.lab import scripted_engine as scripted


def test_the_pipelined_targets_are_those_that_the_sdk_then_requests() -> None:
    dialled: list[Sent] = []
    with dial_of(engine_of(IDS[:1]), dialled) as (dial, deadline):
        pool = ConnectionPool(dial, deadline, MAY_REMOVE)
        api = ApiClient.over(pool, "1.41")
        api.containers(all=True)
        api.inspect_container(IDS[0])
        targets = [list_target("1.41"), api.inspect_target(IDS[0])]
        pool.close()
    assert [write.split()[1].decode() for write in dialled[0].writes] == targets
    assert targets[1] == f"/v1.41/containers/{IDS[0]}/json"


def test_the_environment_and_its_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_HOST", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    engine = engine_of(IDS[:1])
    with dial_of(engine, []) as (dial, deadline):
        pool = ConnectionPool(dial, deadline, MAY_REMOVE)
        assert [item["Id"] for item in ApiClient.over(pool, "1.41").containers(all=True)] == IDS[:1]
        pool.close()


def test_podmans_removal_has_no_stop_timeout() -> None:
    engine = engine_of(IDS[:1])
    engine.on("DELETE /libpod/containers/", lambda _: scripted.Response(200, []))
    dialled: list[Sent] = []
    with dial_of(engine, dialled) as (dial, deadline):
        pool = ConnectionPool(dial, deadline, MAY_REMOVE)
        ApiClient.over(pool, "1.41").kill_and_remove(IDS[0], "4.3.1", volumes=True)
        pool.close()
    target = dialled[0].writes[0].split()[1].decode()
    assert target == f"/v4.3.1/libpod/containers/{IDS[0]}?force=True&timeout=0&v=True"


def test_an_error_response_of_any_shape_is_an_engine_error() -> None:
    engine = engine_of(IDS[:1])
    engine.on(f"GET /containers/{IDS[0]}/json", lambda _: scripted.Response(500, ["no object"]))
    with dial_of(engine, []) as (dial, deadline):
        pool = ConnectionPool(dial, deadline, MAY_REMOVE)
        with pytest.raises(EngineError) as caught:
            ApiClient.over(pool, "1.41").inspect_container(IDS[0])
        pool.close()
    assert (caught.value.kind, caught.value.http_status) == ("refused", 500)
    assert "no object" in caught.value.message


def test_a_response_with_a_duplicate_key_is_refused() -> None:
    engine = engine_of(IDS[:1])
    body = b'{"Id": 1, "Id": 2}'
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    engine.on(f"GET /containers/{IDS[0]}/json", lambda _: scripted.Response(raw=raw))
    with dial_of(engine, []) as (dial, deadline):
        pool = ConnectionPool(dial, deadline, MAY_REMOVE)
        with pytest.raises(InvalidJson, match="twice"):
            ApiClient.over(pool, "1.41").inspect_container(IDS[0])
        pool.close()


PAGE = b"<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>"


@pytest.mark.parametrize("status", [401, 403, 405])
@pytest.mark.parametrize(
    ("method", "target", "allow"),
    [
        ("GET", "/v1.41/containers/json", "allow GET of /containers there (docker-socket-proxy: CONTAINERS=1)"),
        ("GET", "/_ping", "allow GET of /_ping there (docker-socket-proxy: PING=1)"),
        ("DELETE", f"/v1.41/containers/{IDS[0]}", "allow DELETE of /containers there (docker-socket-proxy: "),
        ("DELETE", "/v4.3.1/libpod/containers/x", "CONTAINERS=1, POST=1)"),
        ("DELETE", "/v1.41/volumes/x", "allow DELETE of /volumes there (docker-socket-proxy: VOLUMES=1, POST=1)"),
    ],
)
def test_what_a_proxy_forbids_is_named_with_how_to_allow_it(status: int, method: str, target: str, allow: str) -> None:
    error = refusal(Response(status, "No", {"content-type": "text/html"}, PAGE, False), method, target)
    text = f"HTTP {status}: 403 Forbidden Request forbidden by administrative rules."
    assert error.message == f"the proxy or authorization plugin before the engine forbids this {method} ({text})"
    assert allow in error.remedy


def test_an_authorization_plugin_is_reported_as_a_proxy_is() -> None:
    body = b'{"message":"authorization denied by plugin x: no"}'
    error = refusal(Response(403, "Forbidden", {"api-version": "1.41"}, body, False), "DELETE", "/v1.41/containers/x")
    assert "forbids this DELETE (HTTP 403: authorization denied by plugin x: no)" in error.message


def test_the_engines_own_refusals_blame_no_proxy() -> None:
    own = refusal(Response(403, "Forbidden", {"api-version": "1.41"}, b'{"message":"in use"}', False), "DELETE")
    assert (own.message, own.remedy) == ("HTTP 403: in use", "")
    assert refusal(Response(500, "No", {}, b"", False)).remedy == ""
