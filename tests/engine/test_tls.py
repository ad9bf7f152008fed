"""TLS to an engine through any stream, and a port that speaks TLS recognised by its response to plain HTTP."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fleetsweep.engine import READ_ONLY
from fleetsweep.engine.client import EngineClient
from fleetsweep.engine.endpoint import TcpEndpoint, local_dial
from fleetsweep.engine.tls import EngineTls, TlsStream
from fleetsweep.errors import HostError, Phase, UsageError
from fleetsweep.runtime.deadline import Deadline, Watchdog
from tests.engine.test_client import IDS, client_of, engine_of
from tests.lab.certificates import Authority
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


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("tls"))


@contextmanager
def tls_front(
    authority: Authority, backend: Path, *, address: str = "127.0.0.1", verify: bool = False
) -> Iterator[int]:
    """A TLS server that passes what it decrypts to a Unix socket; yields its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("server", address=address))
    if verify:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.certificate)

    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def serve(plain: socket.socket) -> None:
        with contextlib.suppress(OSError), plain, socket.socket(socket.AF_UNIX) as engine:
            plain.settimeout(20)
            with context.wrap_socket(plain, server_side=True) as secure:
                engine.connect(str(backend))
                back = threading.Thread(target=pump, args=(engine, secure), daemon=True)
                back.start()
                pump(secure, engine)
                back.join()

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                serve(listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, args=(listener,), daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def client_over_tls(port: int, tls: EngineTls) -> Iterator[EngineClient]:
    endpoint = TcpEndpoint("127.0.0.1", port)
    with Watchdog() as watchdog, local_dial(endpoint, deadline := Deadline(20, watchdog)) as dial:
        client = EngineClient(tls.over(dial, endpoint, deadline.remaining), "local", deadline, READ_ONLY)
        try:
            yield client
        finally:
            client.close()


def fault_over_tls(port: int, tls: EngineTls) -> HostError:
    with pytest.raises(HostError) as caught, client_over_tls(port, tls):
        pass
    assert (caught.value.phase, caught.value.kind) == (Phase.ENGINE, "tls")
    return caught.value


def test_a_survey_over_tls_is_the_same(authority: Authority, tmp_path: Path) -> None:
    files = [str(path) for path in authority.sign("client")]
    tls = EngineTls.load(str(authority.certificate), *files)
    with (
        engine_of(IDS).serve(tmp_path / "e.sock"),
        tls_front(authority, tmp_path / "e.sock", verify=True) as port,
        client_over_tls(port, tls) as client,
    ):
        listing = client.survey(lambda *_: True)
    assert [container.id for container in listing.containers if container.inspected] == IDS


def test_an_engine_that_does_not_verify_is_refused(authority: Authority, tmp_path: Path) -> None:
    other = Authority.make(tmp_path, "other")
    engine = engine_of(IDS[:1])
    with engine.serve(tmp_path / "e.sock"):
        with tls_front(authority, tmp_path / "e.sock") as port:
            unknown = fault_over_tls(port, EngineTls.load(str(other.certificate), None, None))
        with tls_front(authority, tmp_path / "e.sock", address="10.9.8.7") as port:
            misnamed = fault_over_tls(port, EngineTls.load(str(authority.certificate), None, None))
    assert "does not verify: unable to get local issuer" in unknown.message
    assert "IP address mismatch" in misnamed.message
    assert "subjectAltName" in misnamed.remedy
    assert engine.requests == []


def test_a_missing_client_certificate_is_named(authority: Authority, tmp_path: Path) -> None:
    with engine_of([]).serve(tmp_path / "e.sock"), tls_front(authority, tmp_path / "e.sock", verify=True) as port:
        error = fault_over_tls(port, EngineTls.load(str(authority.certificate), None, None))
    assert "certificate required" in error.message
    assert "--engine-tls-cert" in error.remedy


def test_a_port_without_tls_is_named_and_gets_no_request(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def reply() -> None:
            with listener.accept()[0] as plain:
                received.append(plain.recv(5))
                plain.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

        received: list[bytes] = []
        thread = threading.Thread(target=reply, daemon=True)
        thread.start()
        error = fault_over_tls(listener.getsockname()[1], EngineTls.load(str(authority.certificate), None, None))
        thread.join()
    assert "does not speak TLS" in error.message
    assert received[0][:2] == b"\x16\x03"


def test_files_that_cannot_be_used_are_refused_before_any_host(authority: Authority, tmp_path: Path) -> None:
    certificate, key = (str(path) for path in authority.sign("client"))
    _, other = (str(path) for path in authority.sign("another"))
    ca, absent, encrypted = str(authority.certificate), str(tmp_path / "absent"), str(tmp_path / "encrypted")
    words = ["openssl", "pkcs8", "-topk8", "-in", key, "-passout", "pass:secret", "-out", encrypted]
    subprocess.run(words, check=True, capture_output=True)
    for files, message in (
        ((None, certificate, key), "need --engine-tls-ca"),
        ((ca, certificate, None), "given together"),
        ((absent, None, None), "--engine-tls-ca: .* can't be read: No such file"),
        ((key, None, None), "--engine-tls-ca: .* can't be used: no certificate"),
        ((ca, absent, key), "--engine-tls-cert: .* can't be read: No such file"),
        ((ca, certificate, absent), "--engine-tls-key: .* can't be read: No such file"),
        ((ca, certificate, other), "--engine-tls-key: .* can't be used: key values mismatch"),
        ((ca, certificate, encrypted), "--engine-tls-key: .* is encrypted"),
    ):
        with pytest.raises(UsageError, match=message):
            EngineTls.load(*files)


def test_a_record_that_drips_does_not_outlast_the_timeout() -> None:
    class Dripping:
        def __init__(self) -> None:
            self.limits: list[float | None] = []
            self.bytes = iter(b"\x16\x03\x03\x40\x00" + bytes(2**14))

        def settimeout(self, value: float | None, /) -> None:
            self.limits.append(value)

        def sendall(self, data: bytes, /) -> None:
            pass

        def recv(self, nbytes: int, /) -> bytes:
            return bytes([next(self.bytes)])

        def close(self) -> None:
            pass

    below = Dripping()
    stream = TlsStream(below, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "127.0.0.1")
    stream.settimeout(0.02)
    with pytest.raises(TimeoutError):
        stream.recv(1)
    limits = [limit for limit in below.limits if limit is not None]
    assert limits == sorted(limits, reverse=True)
