"""The engine's kind and API version, from the headers of a response."""

from __future__ import annotations

import pytest

from fleetsweep.engine.http11 import Response
from fleetsweep.engine.versions import engine_of, libpod_of, minimum_api
from fleetsweep.errors import EngineError


def response(**headers: str) -> Response:
    return Response(200, "OK", {name.replace("_", "-"): value for name, value in headers.items()}, b"", False)


@pytest.mark.parametrize(
    ("offered", "used"), [("1.24", "1.24"), ("1.41", "1.41"), ("1.51", "1.51"), ("1.52", "1.51"), ("1.100", "1.51")]
)
def test_the_engines_version_is_used_up_to_the_newest_known(offered: str, used: str) -> None:
    assert engine_of(response(api_version=offered), "local").api == used


@pytest.mark.parametrize(
    ("offered", "remedy"), [("1.23", "update the engine"), ("0.99", "update the engine"), ("2.0", "update fleetsweep")]
)
def test_an_unsupported_version_is_refused_with_what_to_update(offered: str, remedy: str) -> None:
    with pytest.raises(EngineError) as caught:
        engine_of(response(api_version=offered, server="Docker/1.0"), "local")
    assert caught.value.kind == "api-version"
    assert "Docker/1.0 has API" in caught.value.message
    assert remedy in caught.value.remedy


def test_an_engine_whose_minimum_is_newer_than_tested_is_refused_with_what_to_update() -> None:
    headers = response(api_version="1.60", server="Docker/40.0 (linux)")
    assert engine_of(headers, "local", "1.51").api == "1.51"
    with pytest.raises(EngineError) as caught:
        engine_of(headers, "local", "1.52")
    assert caught.value.kind == "api-version"
    assert "Docker/40.0 (linux) accepts API 1.52 and newer" in caught.value.message
    assert "tested up to API 1.51" in caught.value.message
    assert caught.value.remedy == "update fleetsweep"


def test_the_minimum_is_read_from_a_refusal_alone() -> None:
    too_old = "client version 1.40 is too old. Minimum supported API version is 1.44, please upgrade your client"
    assert minimum_api(f"HTTP 400: {too_old} to a newer version") == "1.44"
    assert minimum_api("HTTP 400: client version 1.60 is too new. Maximum supported API version is 1.51") == ""


@pytest.mark.parametrize("offered", ["", "1", "1.4.1", "v1.41", "1.41, 1.41", "1.\u0664"])
def test_a_response_without_a_usable_version_is_not_from_an_engine(offered: str) -> None:
    with pytest.raises(EngineError) as caught:
        engine_of(response(api_version=offered), "local")
    assert caught.value.kind == "not-an-engine"


def test_the_server_header_tells_podman_from_docker() -> None:
    assert engine_of(response(api_version="1.41", server="Docker/20.10.24 (linux)"), "local").kind == "docker"
    assert engine_of(response(api_version="1.41", server="Libpod/4.3.1 (linux)"), "local").kind == "podman"


@pytest.mark.parametrize(("offered", "used"), [("4.3.1", "4.3.1"), ("5.0.0", "5.0.0"), ("3.4.4", ""), ("4.3", "")])
def test_podmans_own_api_is_used_from_version_4_on(offered: str, used: str) -> None:
    assert libpod_of(response(libpod_api_version=offered)) == used
    assert libpod_of(response()) == ""
