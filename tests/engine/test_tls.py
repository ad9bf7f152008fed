"""A port that speaks TLS is recognised by its response to plain HTTP, and reported with a remedy."""

from __future__ import annotations

import pytest

from fleetsweep.errors import HostError, Phase
from tests.engine.test_client import client_of, engine_of
from tests.lab.scripted_engine import Response

GO = "Client sent an HTTP request to an HTTPS server.\n"
NGINX = "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>"
APACHE = "Reason: You're speaking plain HTTP to an SSL-enabled server port."


@pytest.mark.parametrize(
    "raw",
    [
        *(f"HTTP/1.0 400 Bad Request\r\n\r\n{text}".encode() for text in (GO, NGINX, APACHE)),
        bytes.fromhex("15030100020246"),
        bytes.fromhex("15030300020228"),
    ],
)
def test_a_port_that_speaks_tls_is_named_with_what_to_set(raw: bytes) -> None:
    engine = engine_of([])
    engine.on(".", lambda _: Response(raw=raw))
    with pytest.raises(HostError) as caught, client_of(engine):
        pass
    assert (caught.value.phase, caught.value.kind) == (Phase.ENGINE, "tls")
    assert "speaks TLS" in caught.value.message
    assert "fleetsweep_engine" in caught.value.remedy


@pytest.mark.parametrize("raw", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.0 400 Bad Request\r\n\r\nno"])
def test_any_other_service_is_not_called_tls(raw: bytes) -> None:
    engine = engine_of([])
    engine.on(".", lambda _: Response(raw=raw))
    with pytest.raises(HostError) as caught, client_of(engine):
        pass
    assert caught.value.kind in {"lost", "not-an-engine"}
