"""TLS to an engine's TCP port, and a port that speaks TLS recognised by its response to plain HTTP.

The TLS runs over any stream, so it is end to end through the SSH tunnel.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import BadStatusLine
from pathlib import Path
from typing import Final

from fleetsweep.engine.endpoint import TcpEndpoint
from fleetsweep.engine.pool import Dial, Stream
from fleetsweep.errors import EngineError, FaultKind, HostError, UsageError

READ_SIZE: Final = 32 * 1024
"""Bytes of one read from the stream below."""

_REFUSAL: Final = re.compile(
    r"sent an HTTP request to an HTTPS server"  # Go, and so dockerd and podman
    r"|plain HTTP request was sent to HTTPS port"  # nginx
    r"|speaking plain HTTP to an SSL-enabled server",  # Apache
    re.IGNORECASE,
)

_ALERT: Final = re.compile(r"\x15\x03[\x00-\x04]")
"""The start of a TLS alert record (RFC 8446, section 5.1), with which other servers respond to plain HTTP."""


@dataclass(frozen=True, slots=True)
class EngineTls:
    """How an engine's certificate is verified, and the certificate that is presented to it, if there is one.

    ``files`` are those it was loaded from.
    """

    context: ssl.SSLContext
    files: tuple[str | None, str | None, str | None] = (None, None, None)

    @classmethod
    def load(cls, ca: str | None, certificate: str | None, key: str | None) -> EngineTls:
        """Read the PEM files. Raises UsageError where one is missing, can't be read or does not fit the other."""
        if ca is None:
            raise UsageError("--engine-tls-cert and --engine-tls-key need --engine-tls-ca, which verifies the engine")
        if (certificate is None) != (key is None):
            raise UsageError("--engine-tls-cert and --engine-tls-key are given together or not at all")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _loaded("--engine-tls-ca", ca, lambda: context.load_verify_locations(cafile=ca))
        if certificate is not None and key is not None:
            _loaded("--engine-tls-cert", certificate, lambda: Path(certificate).read_bytes())
            _loaded("--engine-tls-key", key, lambda: context.load_cert_chain(certificate, key, _no_password))
        return cls(context, (ca, certificate, key))

    def over(self, dial: Dial, endpoint: TcpEndpoint, remaining: Callable[[], float]) -> Dial:
        """Return a dial whose streams carry TLS. ``remaining`` is the host's time in seconds.

        The dial raises EngineError where the engine's certificate does not verify for the endpoint's address.
        """

        def dial_tls() -> Stream:
            stream = TlsStream(dial(), self.context, endpoint.address)
            try:
                stream.shake_hands(remaining)
            except BaseException as error:
                stream.close()
                # A stream that ended may be a route that does not lead to the engine.
                if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
                    raise _handshake_error(endpoint, error) from error
                raise
            return stream

        return dial_tls


def _loaded(option: str, path: str, load: Callable[[], object]) -> None:
    try:
        load()
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).replace("_", " ").lower()
        raise UsageError(f"{option}: {path} can't be used: {reason}") from error
    except (OSError, ValueError) as error:
        text = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UsageError(f"{option}: {path} can't be read: {text}") from error


def _no_password() -> str:
    raise ValueError("the key is encrypted: give one without a passphrase, readable by you alone")


class TlsStream:
    """A stream within TLS over another stream."""

    def __init__(self, stream: Stream, context: ssl.SSLContext, name: str) -> None:
        self._stream = stream
        self._received, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._outgoing, server_hostname=name)
        self._timeout: float | None = None
        self._until = 0.0

    def shake_hands(self, remaining: Callable[[], float]) -> None:
        """Complete the handshake. Raises ssl.SSLError, and what the stream raises."""
        while True:
            self.settimeout(max(0.001, remaining()))
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            except ssl.SSLError:
                # The engine's log then has the alert that says why.
                self._flush()
                raise
            else:
                self._flush()
                return

    def settimeout(self, value: float | None, /) -> None:
        """Limit each following read and write to ``value`` seconds, however many records it takes."""
        self._timeout = value
        self._until = time.monotonic() + (value or 0.0)

    def sendall(self, data: bytes, /) -> None:
        """Write all of ``data``."""
        view = memoryview(data)
        while view:
            try:
                view = view[self._tls.write(view) :]
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
        try:
            self._flush()
        except (OSError, EOFError):
            self._raise_alert()
            raise

    def _raise_alert(self) -> None:
        """Raise the alert with which the engine ended the connection, if it has arrived."""
        while True:
            try:
                self._fill()
                if not self._tls.read(1):
                    return
            except ssl.SSLWantReadError:
                continue
            except (OSError, EOFError) as error:
                if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
                    raise
                return

    def recv(self, nbytes: int, /) -> bytes:
        """Return at most ``nbytes`` bytes, or none after the engine's closing alert. Raises ssl.SSLError."""
        while True:
            try:
                return self._tls.read(nbytes)
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()

    def close(self) -> None:
        """Close the stream below."""
        self._stream.close()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._limit()
            self._stream.sendall(self._outgoing.read())

    def _fill(self) -> None:
        self._limit()
        data = self._stream.recv(READ_SIZE)
        if data:
            self._received.write(data)
        else:
            self._received.write_eof()

    def _limit(self) -> None:
        """Give the stream below what is left of the timeout; none at all stays non-blocking."""
        if self._timeout is None or self._timeout == 0.0:
            self._stream.settimeout(self._timeout)
            return
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the TLS records did not arrive in time")
        self._stream.settimeout(left)


def _handshake_error(endpoint: TcpEndpoint, error: ssl.SSLError) -> EngineError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return EngineError(
            FaultKind.TLS,
            f"the certificate of {endpoint} does not verify: {error.verify_message}",
            "give the authority that signed it with --engine-tls-ca; the certificate must name "
            f"{endpoint.address} (subjectAltName), as fleetsweep_engine does",
        )
    if error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}:
        return EngineError(
            FaultKind.TLS,
            f"{endpoint} does not speak TLS",
            "name the engine's TLS port (2376, usually), or leave out --engine-tls-ca",
        )
    return _refused(error)


def _refused(error: ssl.SSLError) -> EngineError:
    reason = (error.reason or str(error)).replace("_", " ").lower()
    return EngineError(
        FaultKind.TLS,
        f"the engine refused the TLS connection: {reason}",
        "give a certificate that the engine accepts with --engine-tls-cert and --engine-tls-key",
    )


def tls_error(error: HostError) -> EngineError | None:
    """Return what a failed first request shows of TLS, or None.

    Over plain HTTP that is a port that speaks TLS. Over TLS it is a client certificate that the engine does not accept,
    which TLS 1.3 reports after the handshake.
    """
    cause = error.__cause__
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
        return _refused(cause)
    if isinstance(error, EngineError) and error.http_status is not None:
        speaks_tls = _REFUSAL.search(error.message) is not None
    else:
        speaks_tls = isinstance(cause, BadStatusLine) and _ALERT.match(str(cause)) is not None
    if not speaks_tls:
        return None
    return EngineError(
        FaultKind.TLS,
        "the engine's port speaks TLS, and plain HTTP was sent to it",
        "give --engine-tls-ca (and --engine-tls-cert, --engine-tls-key), or set fleetsweep_engine to the engine's Unix "
        "socket (unix:///var/run/docker.sock): the SSH tunnel encrypts that",
    )
