"""A Dask scheduler's address, and TLS to it, pinned to the certificate that it has at the start of a run."""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleetsweep.errors import UsageError
from fleetsweep.sweep.slices import TlsFiles

PORT: Final = 8786
TIMEOUT_S: Final = 10.0
"""Seconds to connect to the scheduler."""

_ADDRESS: Final = re.compile(r"(?:(tcp|tls)://)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", re.ASCII)
_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Where a Dask scheduler listens, and the files for TLS: authority, certificate and key. None is plain TCP."""

    host: str
    port: int
    tls: TlsFiles | None

    @property
    def url(self) -> str:
        """The address in Dask's form."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tcp' if self.tls is None else 'tls'}://{host}:{self.port}"

    @classmethod
    def parse(cls, address: str, tls: TlsFiles) -> Scheduler:
        """Return the scheduler at ``[tls://]host[:port]``. Raises UsageError where TLS is missing but needed."""
        found = _ADDRESS.fullmatch(address)
        if found is None or int(found[3] or PORT) > 65535:
            raise UsageError(f"--scheduler: {address[:100]!r} is not an address: write tls://host:{PORT}")
        host, port = found[2].strip("[]"), int(found[3] or PORT)
        files = (("ca", tls[0]), ("cert", tls[1]), ("key", tls[2]))
        missing = [f"--scheduler-tls-{name}" for name, path in files if path is None]
        if not missing:
            if found[1] == "tcp":
                raise UsageError("--scheduler: tcp:// has no TLS: write tls://, as --scheduler-tls-ca is given")
            return cls(host, port, tls)
        if len(missing) < len(files) or found[1] == "tls" or not _is_loopback(host):
            raise UsageError(
                f"--scheduler: {host} needs TLS with a certificate of yours: give {', '.join(missing)} "
                "(only a scheduler on this machine's loopback goes without)"
            )
        return cls(host, port, None)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_listening(scheduler: Scheduler) -> None:
    """Raise UsageError where nothing listens. Dask itself would go on trying for the whole of its timeout."""
    try:
        with socket.create_connection((scheduler.host, scheduler.port), TIMEOUT_S):
            return
    except OSError as error:
        raise UsageError(f"--scheduler: {scheduler.url} can't be reached: {error.strerror or error}") from error


def pinned_context(scheduler: Scheduler) -> ssl.SSLContext:
    """Return a context that trusts the scheduler's present certificate and no other. Raises UsageError.

    The certificate is one that ``--scheduler-tls-ca`` has itself, or it is signed by one of these and names the host.
    """
    if scheduler.tls is None:
        raise ValueError("this scheduler has no TLS")
    ca, certificate, key = scheduler.tls
    if ca is None or certificate is None or key is None:
        raise ValueError("TLS needs three files")
    try:
        known = [ssl.PEM_cert_to_DER_cert(one) for one in _PEM.findall(Path(ca).read_text())]
        presented = _present_certificate(scheduler, _context(ca, certificate, key, exact=True))
        if presented not in known:
            presented = _present_certificate(scheduler, _context(ca, certificate, key, exact=False))
        pinned = _client_context(certificate, key)
        pinned.load_verify_locations(cadata=presented)
    except ssl.SSLCertVerificationError as error:
        raise UsageError(
            f"--scheduler: the certificate of {scheduler.url} does not verify: {error.verify_message}: give the "
            "authority that signed it, or the certificate itself, with --scheduler-tls-ca"
        ) from error
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).replace("_", " ").lower()
        raise UsageError(f"--scheduler: no TLS with {scheduler.url}: {reason}") from error
    except (OSError, ValueError) as error:
        text = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UsageError(f"--scheduler: {scheduler.url}, with the files of --scheduler-tls-*: {text}") from error
    pinned.check_hostname = False
    pinned.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return pinned


def _client_context(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(certificate, key, _no_password)
    return context


def _context(ca: str, certificate: str, key: str, *, exact: bool) -> ssl.SSLContext:
    """Return a context for a look at the certificate. With ``exact`` it may be in the file itself, under any name."""
    context = _client_context(certificate, key)
    context.load_verify_locations(cafile=ca)
    if exact:
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted: give one without a passphrase, readable by you alone")


def _present_certificate(scheduler: Scheduler, context: ssl.SSLContext) -> bytes:
    with (
        socket.create_connection((scheduler.host, scheduler.port), TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=scheduler.host) as stream,
    ):
        return stream.getpeercert(binary_form=True) or b""
