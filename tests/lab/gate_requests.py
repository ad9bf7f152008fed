"""Requests that the gate lets pass, and requests that it refuses, some of them as raw bytes."""

from __future__ import annotations

from typing import Final

ID: Final = "a" * 64
HEAD: Final = b"Host: engine\r\n"

ALLOWED: Final = (
    "GET /_ping",
    "GET /v1.41/_ping",
    "GET /version",
    "GET /v1.24/version",
    "GET /info",
    "GET /v1.100/info",
    "GET /containers/json",
    "GET /v1.40/containers/json?limit=-1&all=1&size=0&trunc_cmd=0",
    "GET /v1.41/containers/json?all=true&filters=%7B%22label%22%3A+%5B%22a%3Db%22%5D%7D",
    f"GET /containers/{ID}/json",
    f"GET /v1.44/containers/{ID}/json",
    f"DELETE /containers/{ID}",
    f"DELETE /v1.41/containers/{ID}?v=False&link=False&force=True",
    f"DELETE /v1.41/containers/{ID}?force=1&v=0",
)

RESOURCES: Final = (
    "GET /v1.41/volumes?filters=%7B%22label%22%3A+%5B%22a%3Db%22%5D%7D",
    "GET /networks",
    "GET /v1.41/volumes/job-1_data",
    "DELETE /v1.41/volumes/job-1_data",
    f"GET /v1.41/networks/{ID}",
    f"DELETE /v1.41/networks/{ID}",
)

PODMAN: Final = (
    "GET /v4.0.0/libpod/containers/json?all=true",
    f"DELETE /v4.3.1/libpod/containers/{ID}?force=True&timeout=0&v=False",
    f"DELETE /v5.10.12/libpod/containers/{ID}",
)

REFUSED: Final = (
    # What a stolen key would be used for.
    "POST /containers/create",
    "POST /v1.41/containers/create?name=ws-1",
    f"POST /containers/{ID}/exec",
    f"POST /v1.41/containers/{ID}/start",
    f"POST /containers/{ID}/attach?stream=1&stdin=1",
    f"POST /containers/{ID}/kill",
    "POST /exec/a/start",
    "POST /images/create?fromImage=alpine",
    "POST /build",
    "POST /session",
    "POST /grpc",
    "POST /volumes/create",
    "POST /containers/prune",
    f"GET /containers/{ID}/archive?path=/etc/shadow",
    f"HEAD /containers/{ID}/archive?path=/etc/shadow",
    f"PUT /containers/{ID}/archive?path=/",
    f"GET /containers/{ID}/export",
    f"GET /containers/{ID}/logs?stdout=1",
    f"GET /containers/{ID}/top",
    f"GET /containers/{ID}/changes",
    f"GET /containers/{ID}/stats",
    f"GET /containers/{ID}/attach/ws?stream=1",
    "GET /images/json",
    "GET /images/alpine/get",
    "DELETE /images/alpine",
    "DELETE /v1.41/images/alpine?force=True",
    "GET /events",
    "GET /secrets",
    "GET /swarm",
    "GET /system/df",
    "GET /distribution/alpine/json",
    "GET /plugins",
    # Other methods for what is allowed.
    "HEAD /_ping",
    "POST /info",
    f"POST /containers/{ID}/json",
    f"PUT /containers/{ID}",
    f"PATCH /containers/{ID}",
    f"OPTIONS /containers/{ID}",
    f"DELETE /containers/{ID}/json",
    f"GET /containers/{ID}",
    "DELETE /containers/json",
    "DELETE /info",
    "get /info",
    f"delete /containers/{ID}",
    # Not the full id.
    "GET /containers/ws-1/json",
    f"GET /containers/{ID[:12]}/json",
    f"GET /containers/{ID[:63]}/json",
    f"GET /containers/{ID}a/json",
    f"GET /containers/{ID.upper()}/json",
    "DELETE /containers/ws-1",
    f"DELETE /containers/{ID[:12]}",
    f"DELETE /containers/{ID}a",
    "DELETE /containers/",
    "DELETE /containers",
    # Path tricks.
    "GET //info",
    "GET /info/",
    "GET /info//",
    "GET /./info",
    "GET /x/../info",
    f"GET /containers/{ID}/json/",
    f"GET /containers/{ID}/json/../archive",
    f"GET /containers/{ID}/json/../../../images/json",
    f"GET /containers/{ID}/json%2f..%2farchive",
    f"GET /containers/{ID}/%2e%2e/{ID}/json",
    f"GET /containers/{ID}%2fjson",
    f"GET /containers/{ID}/jso%6e",
    f"GET /containers/%61{ID[1:]}/json",
    "GET /%69nfo",
    "GET /info%00",
    "GET /info%20",
    "GET /info%0a",
    "GET /info;x",
    "GET /info\\",
    "GET /INFO",
    f"DELETE /containers/{ID}/",
    f"DELETE /containers/{ID}/..",
    f"DELETE /containers/{ID}/../../images/alpine",
    f"DELETE //containers/{ID}",
    f"DELETE /containers//{ID}",
    f"DELETE /containers/{ID}%3fforce=1",
    f"DELETE /v1.41/v1.41/containers/{ID}",
    f"DELETE /v1/containers/{ID}",
    f"DELETE /v1.x/containers/{ID}",
    f"DELETE /v1x41/containers/{ID}",
    f"DELETE /v2.0/containers/{ID}",
    f"GET http://engine/containers/{ID}/json",
    f"GET http:///containers/{ID}/json",
    "GET https://engine/info",
    "GET unix:/info",
    "GET engine/info",
    "GET *",
    "GET ?/info",
    # Parameters.
    "GET /info?x=1",
    "GET /_ping?",
    f"GET /containers/{ID}/json?size=1",
    "GET /containers/json?size=1",
    "GET /containers/json?limit=1",
    "GET /containers/json?all=1&&size=0",
    "GET /containers/json?all=1;size=1",
    "GET /containers/json?all=1&x=1",
    "GET /containers/json?filters={}",
    "GET /containers/json?filters=%7B%7D&size=1",
    f"DELETE /containers/{ID}?link=true",
    f"DELETE /containers/{ID}?link=1",
    f"DELETE /containers/{ID}?link=False&link=true",
    f"DELETE /containers/{ID}?LINK=true",
    f"DELETE /containers/{ID}?lin%6b=true",
    f"DELETE /containers/{ID}?force=True&x=1",
    f"DELETE /containers/{ID}?force=yes",
    f"DELETE /containers/{ID}?force",
    f"DELETE /containers/{ID}?",
    f"DELETE /containers/{ID}?v=1&",
    f"DELETE /containers/{ID}?v=1?force=1",
    f"DELETE /containers/{ID}?depend=true",
)
"""Refused whatever the options are."""

REFUSED_RESOURCES: Final = (
    "DELETE /volumes",
    "DELETE /volumes/",
    "DELETE /volumes/../containers/a",
    "DELETE /volumes/a/b",
    "DELETE /volumes/%61",
    "DELETE /volumes/a?force=1",
    "DELETE /networks/bridge",
    "GET /volumes?x=1",
    "POST /networks/prune",
    "POST /v1.41/networks/create",
    f"POST /networks/{ID}/connect",
)
"""Refused even where resources are allowed."""

REFUSED_PODMAN: Final = (
    "GET /libpod/containers/json",
    "GET /v4.0.0/libpod/containers/json?all=true&size=true",
    "GET /v4.0.0/libpod/info",
    f"GET /v4.0.0/libpod/containers/{ID}/json",
    f"DELETE /v4.0.0/libpod/containers/{ID}?depend=true",
    f"DELETE /v4.0.0/libpod/containers/{ID}?all=true",
    f"DELETE /v4.0.0/libpod/pods/{ID}",
    "DELETE /v4.0.0/libpod/containers/ws-1",
    "POST /v4.0.0/libpod/containers/create",
    f"POST /v4.0.0/libpod/containers/{ID}/exec",
)
"""Refused even where Podman's own API is allowed."""

_DELETE: Final = f"DELETE /containers/{ID} HTTP/1.1\r\n".encode()
_INFO: Final = b"GET /info HTTP/1.1\r\n"
_SMUGGLED: Final = b"POST /containers/create HTTP/1.1\r\nHost: engine\r\nContent-Length: 2\r\n\r\n{}"

RAW: Final = {
    "a body": _INFO + HEAD + b"Content-Length: 2\r\n\r\n{}",
    "a body of a removal": _DELETE + HEAD + b"Content-Length: 2\r\n\r\n{}",
    "an empty body, then a request": _INFO.replace(b"info", b"inf") + HEAD + b"Content-Length: 0\r\n\r\n" + _SMUGGLED,
    "zeros": _INFO + HEAD + b"Content-Length: 00\r\n\r\n",
    "a list of lengths": _INFO + HEAD + b"Content-Length: 0, 72\r\n\r\n" + _SMUGGLED,
    "a chunked body": _INFO + HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a smuggled request in a body": _INFO + HEAD + b"Content-Length: %d\r\n\r\n" % len(_SMUGGLED) + _SMUGGLED,
    "a request after a chunked end": _INFO + HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + _SMUGGLED,
    "two lengths": _INFO + HEAD + b"Content-Length: 0\r\nContent-Length: 72\r\n\r\n" + _SMUGGLED,
    "a length and chunks": _INFO
    + HEAD
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + _SMUGGLED,
    "chunks, disguised": _INFO + HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + _SMUGGLED,
    "chunks and a tab": _INFO + HEAD + b"Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n" + _SMUGGLED,
    "a blank before the colon": _INFO + HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + _SMUGGLED,
    "a sign in the length": _INFO + HEAD + b"Content-Length: +72\r\n\r\n" + _SMUGGLED,
    "an upgrade": _INFO + HEAD + b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
    "an upgrade to HTTP/2": _INFO
    + HEAD
    + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    "another method in a header": _INFO + HEAD + b"X-HTTP-Method-Override: POST\r\n\r\n",
    "another method, second form": _INFO + HEAD + b"X-HTTP-Method: DELETE\r\n\r\n",
    "another method, third form": _INFO + HEAD + b"X-Method-Override: DELETE\r\n\r\n",
    "HTTP/1.0": b"GET /info HTTP/1.0\r\n" + HEAD + b"\r\n",
    "HTTP/0.9": b"GET /info\r\n\r\n",
    "HTTP/1.2": b"GET /info HTTP/1.2\r\n" + HEAD + b"\r\n",
    "no version": b"GET /info \r\n" + HEAD + b"\r\n",
    "a tunnel": b"CONNECT engine:80 HTTP/1.1\r\n" + HEAD + b"\r\n",
    "a tunnel to a path": b"CONNECT /info HTTP/1.1\r\n" + HEAD + b"\r\n",
    "a trace": b"TRACE /info HTTP/1.1\r\n" + HEAD + b"\r\n",
    "a fragment": b"GET /info#/containers/create HTTP/1.1\r\n" + HEAD + b"\r\n",
    "a NUL": b"GET /info\0 HTTP/1.1\r\n" + HEAD + b"\r\n",
    "a tab": b"GET /info\t/../images/json HTTP/1.1\r\n" + HEAD + b"\r\n",
    "a carriage return": b"GET /info\r/x HTTP/1.1\r\n" + HEAD + b"\r\n",
    "two targets": b"GET /info /images/json HTTP/1.1\r\n" + HEAD + b"\r\n",
    "other characters": "GET /infö HTTP/1.1\r\n".encode() + HEAD + b"\r\n",
    "an overlong slash": b"GET /containers\xc0\xaf%b/json HTTP/1.1\r\n" % ID.encode() + HEAD + b"\r\n",
    "a long target": b"GET /info?x=" + b"a" * 20000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n",
}
"""Whole requests as bytes, each refused."""


def as_bytes(request: str) -> bytes:
    """Return a request of this module's tables as bytes."""
    method, _, target = request.partition(" ")
    return f"{method} {target} HTTP/1.1\r\n".encode() + HEAD + b"\r\n"
