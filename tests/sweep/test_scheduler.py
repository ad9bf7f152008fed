"""A scheduler's address, and which certificate is trusted."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fleetsweep.errors import UsageError
from fleetsweep.sweep.scheduler import PORT, Scheduler, check_listening, pinned_context
from fleetsweep.sweep.slices import TlsFiles
from tests.lab.certificates import Authority

NONE: TlsFiles = (None, None, None)
FILES: TlsFiles = ("ca.pem", "cert.pem", "key.pem")


@pytest.mark.parametrize(
    ("address", "tls", "url"),
    [
        ("127.0.0.1", NONE, f"tcp://127.0.0.1:{PORT}"),
        ("tcp://localhost:1", NONE, "tcp://localhost:1"),
        ("[::1]:9", NONE, "tcp://[::1]:9"),
        ("dask.example.com", FILES, f"tls://dask.example.com:{PORT}"),
        ("tls://[2001:db8::1]:9", FILES, "tls://[2001:db8::1]:9"),
        ("127.0.0.1", FILES, f"tls://127.0.0.1:{PORT}"),
    ],
)
def test_an_address_is_tls_with_files_and_plain_on_loopback_alone(address: str, tls: TlsFiles, url: str) -> None:
    assert Scheduler.parse(address, tls).url == url


@pytest.mark.parametrize(
    ("address", "tls", "words"),
    [
        ("dask.example.com", NONE, "needs TLS .* --scheduler-tls-ca, --scheduler-tls-cert, --scheduler-tls-key"),
        ("tls://127.0.0.1", NONE, "needs TLS"),
        ("10.0.0.1", ("ca.pem", None, None), "give --scheduler-tls-cert, --scheduler-tls-key"),
        ("127.0.0.1", ("ca.pem", "cert.pem", None), "give --scheduler-tls-key"),
        ("localhost.example.com", NONE, "needs TLS"),
        ("tcp://10.0.0.1", FILES, "tcp:// has no TLS"),
        ("http://10.0.0.1", FILES, "is not an address"),
        ("10.0.0.1:99999", FILES, "is not an address"),
        ("", FILES, "is not an address"),
    ],
)
def test_what_is_no_address_or_lacks_tls_is_refused(address: str, tls: TlsFiles, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Scheduler.parse(address, tls)


@contextmanager
def server(certificate: Path, key: Path, ca: Path) -> Iterator[int]:
    """Listen with TLS that wants a client's certificate; yield the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            while True:
                try:
                    plain, _ = listening.accept()
                except OSError:
                    return
                try:
                    context.wrap_socket(plain, server_side=True).close()
                except OSError:
                    plain.close()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def with_ours(authority: Authority, ca: Path) -> TlsFiles:
    """Return the files of a controller that trusts ``ca``."""
    certificate, key = authority.sign("controller")
    return str(ca), str(certificate), str(key)


def handshake(context: ssl.SSLContext, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain, server_hostname="any"):
        pass


def test_the_certificate_at_the_start_is_the_only_one_that_is_trusted_afterwards(tmp_path: Path) -> None:
    authority = Authority.make(tmp_path)
    files = with_ours(authority, authority.certificate)
    right, also_right = (authority.sign(name, address="127.0.0.1") for name in ("scheduler", "worker"))
    with server(*right, authority.certificate) as port:
        context = pinned_context(Scheduler("127.0.0.1", port, files))
        handshake(context, port)
    with server(*also_right, authority.certificate) as port, pytest.raises(ssl.SSLCertVerificationError):
        handshake(context, port)


def test_a_certificate_of_the_authority_must_name_the_host_unless_it_is_given_itself(tmp_path: Path) -> None:
    authority = Authority.make(tmp_path)
    elsewhere = authority.sign("worker", address="192.0.2.7")
    with server(*elsewhere, authority.certificate) as port:
        with pytest.raises(UsageError, match="does not verify: IP address mismatch"):
            pinned_context(Scheduler("127.0.0.1", port, with_ours(authority, authority.certificate)))
        handshake(pinned_context(Scheduler("127.0.0.1", port, with_ours(authority, elsewhere[0]))), port)


def test_another_authoritys_certificate_and_unreadable_files_are_refused(tmp_path: Path) -> None:
    authority, other = Authority.make(tmp_path), Authority.make(tmp_path, "other")
    with server(*authority.sign("scheduler", address="127.0.0.1"), authority.certificate) as port:
        for ca, words in ((other.certificate, "does not verify"), (Path("/nowhere.pem"), "No such file")):
            with pytest.raises(UsageError, match=words):
                pinned_context(Scheduler("127.0.0.1", port, with_ours(authority, ca)))


def test_a_port_where_nothing_listens_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match=r"tcp://127\.0\.0\.1:9 can't be reached: Connection refused"):
        check_listening(Scheduler("127.0.0.1", 9, None))
