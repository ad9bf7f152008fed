"""Host certificates: whether one that a server presented proves its key (PROTOCOL.certkeys of OpenSSH).

Loaded only when a server presents a certificate.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)

from fleetsweep.ssh.known_hosts import Entry, fingerprint
from fleetsweep.ssh.public_keys import certificate_signature, key_type, parse_line, plain_key

MIN_RSA_BITS: Final = 1024
"""OpenSSH verifies no signature by a shorter RSA key."""

FOREVER: Final = 2**64 - 1
"""The end of a certificate's validity if it has none."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a certificate proves nothing, and what to do on the machine that signs.

    ``final`` means that its key is refused even if known_hosts has it. As in OpenSSH, that is so for a certificate that
    is forged or revoked. ``revoked`` is whether a ``@revoked`` line is the reason.
    """

    what: str
    remedy: str
    final: bool = False
    revoked: bool = False


def find_problem(
    blob: bytes, principal: str, authorities: Collection[Entry], revocations: Collection[Entry]
) -> Problem | None:
    """Return what is wrong with a certificate; None if an authority in ``authorities`` vouches for its key.

    ``principal`` is the host's name, without its port. The checks and their order are OpenSSH's: first the signature,
    then ``revocations``, the authority, the type, the validity, the principals and the options.
    """
    claimed, _ = certificate_signature(blob)
    if key_type(claimed).startswith(b"sk-"):
        unsupported = Problem("signed by a security key, which is not supported", "sign it with another type of key")
        return _revocation(blob, claimed, revocations) or unsupported
    try:
        certificate = load_ssh_public_identity(key_type(blob) + b" " + base64.b64encode(blob))
        if not isinstance(certificate, SSHCertificate):
            return _malformed("it is not a certificate")
        signer = certificate.signature_key()
        certificate.verify_cert_signature()
    except InvalidSignature:
        return Problem("whose signature is not its authority's", "find out who made it", final=True)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        return _malformed(str(error) or type(error).__name__)
    # Parsed by the library that verified the signature: what is compared is what has signed.
    authority = parse_line(signer.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)) or b""
    return (
        _revocation(blob, authority, revocations)
        or _authority_problem(blob, signer, authority, authorities)
        or _content_problem(certificate, principal)
    )


def _shown(key: bytes) -> str:
    return f"{key_type(key).decode()} {fingerprint(key)}"


def _revocation(blob: bytes, authority: bytes, revocations: Collection[Entry]) -> Problem | None:
    certified = plain_key(blob)
    for entry in revocations:
        revoked = plain_key(entry.key)
        if revoked in {authority, certified}:
            what = f"of the authority {_shown(authority)}" if revoked == authority else f"of {_shown(certified)}"
            remedy = "make a new host key on the box, and sign it with a trusted authority: ssh-keygen -h"
            return Problem(f"{what}, which {entry.where} revokes", remedy, final=True, revoked=True)
    return None


def _authority_problem(blob: bytes, signer: object, authority: bytes, authorities: Collection[Entry]) -> Problem | None:
    if authority not in {entry.key for entry in authorities}:
        return Problem(
            f"of the authority {_shown(authority)}, which no @cert-authority line for this host has",
            "compare that fingerprint with your authority's, then add a line: @cert-authority PATTERN TYPE KEY",
        )
    if isinstance(signer, RSAPublicKey) and signer.key_size < MIN_RSA_BITS:
        return Problem(f"signed by an RSA key of {signer.key_size} bits", "sign the host key with a longer key")
    if certificate_signature(blob)[1] == b"ssh-rsa":
        return Problem("signed with SHA-1", "sign the host key again: ssh-keygen -h -t rsa-sha2-512")
    return None


def _malformed(why: str) -> Problem:
    return Problem(f"that can't be read: {why}", "sign the host key again with ssh-keygen -h", final=True)


def _content_problem(certificate: SSHCertificate, principal: str) -> Problem | None:
    if certificate.type is not SSHCertificateType.HOST:
        return Problem("for users and not for hosts", "sign the host key again with ssh-keygen -h")
    now = time.time()
    if now < certificate.valid_after:
        return Problem(
            f"not valid before {_date(certificate.valid_after)}", "check the clocks, or sign the host key again"
        )
    if certificate.valid_before != FOREVER and now >= certificate.valid_before:
        return Problem(f"expired since {_date(certificate.valid_before)}", "sign the host key again")
    principals = [name.decode("utf-8", "replace") for name in certificate.valid_principals]
    if principal not in principals:
        for_whom = f"for {', '.join(principals[:5])}" if principals else "without a list of host names"
        return Problem(f"{for_whom} and not for {principal}", f"sign the host key again with -n {principal}")
    if certificate.critical_options:
        names = ", ".join(name.decode("utf-8", "replace") for name in certificate.critical_options)
        return Problem(f"with the unknown critical option {names}", "sign the host key again without -O critical:…")
    return None


def _date(seconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return f"second {seconds}"
