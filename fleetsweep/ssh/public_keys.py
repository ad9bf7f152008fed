"""Public keys as bytes, and the public half of a private key that can't be used itself."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Final

from fleetsweep.ssh.regular_file import CONFIG_LIMIT, read_regular

_OPENSSH: Final = b"openssh-key-v1\0"
CERTIFICATE_SUFFIX: Final = "-cert-v01@openssh.com"
_CERTIFICATE: Final = CERTIFICATE_SUFFIX.encode()


def parse_line(data: bytes) -> bytes | None:
    """Return the key in a line ``type base64 comment``, or None if it is no such line."""
    fields = data.split(None, 2)
    if len(fields) < 2:
        return None
    try:
        key = base64.b64decode(fields[1], validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if key.startswith(_string(fields[0])) else None


def public_half(path: Path, data: bytes) -> bytes | None:
    """Return the public half of an encrypted or token key, from the file's content or from ``.pub`` beside it."""
    return _inside(data) or _in_file(path.with_name(f"{path.name}.pub"))


def _in_file(path: Path) -> bytes | None:
    try:
        return parse_line(read_regular(path, CONFIG_LIMIT))
    except OSError:
        return None


def _inside(data: bytes) -> bytes | None:
    """Return the unencrypted public key in a file of OpenSSH's own format (PROTOCOL.key)."""
    lines = data.split(b"\n")
    try:
        body = base64.b64decode(b"".join(line.strip() for line in lines if not line.startswith(b"-----")))
    except (binascii.Error, ValueError):
        return None
    if not body.startswith(_OPENSSH):
        return None
    rest = body[len(_OPENSSH) :]
    for _ in range(3):  # the cipher, the key derivation and its options
        _, rest = _take(rest)
    return _take(rest[4:])[0] or None


def key_type(blob: bytes) -> bytes:
    """Return the type that a key or certificate begins with; empty if it has none."""
    return _take(blob)[0]


def certificate_signature(blob: bytes) -> tuple[bytes, bytes]:
    """Return the key of a certificate's authority, and the type of its signature."""
    rest = _take(_take(blob)[1])[1]
    for _ in range(_field_count(_take(blob)[0])):
        _, rest = _take(rest)
    # The serial number and the type; the key id and the principals; the validity.
    rest = rest[12:]
    _, rest = _take(_take(rest)[1])
    rest = rest[16:]
    # The critical options, the extensions and a reserved field.
    for _ in range(3):
        _, rest = _take(rest)
    authority, rest = _take(rest)
    return authority, _take(_take(rest)[0])[0]


def plain_key(blob: bytes) -> bytes:
    """Return the plain public key inside a certificate, or the key itself if it is no certificate.

    A certificate holds its type, a nonce and then the key's own fields (PROTOCOL.certkeys).
    """
    kind, rest = _take(blob)
    if not kind.endswith(_CERTIFICATE):
        return blob
    _, rest = _take(rest)
    fields = b""
    for _ in range(_field_count(kind)):
        value, rest = _take(rest)
        fields += _string(value)
    return _string(_plain_type(kind)) + fields


def _plain_type(kind: bytes) -> bytes:
    plain = kind.removesuffix(_CERTIFICATE)
    return plain + b"@openssh.com" if plain.startswith(b"sk-") else plain


def _field_count(kind: bytes) -> int:
    """Return how many strings a key of a certificate's type consists of."""
    return _FIELDS.get(_plain_type(kind), 1)


_FIELDS: Final = {
    b"ssh-rsa": 2,
    b"ssh-ed25519": 1,
    b"ecdsa-sha2-nistp256": 2,
    b"ecdsa-sha2-nistp384": 2,
    b"ecdsa-sha2-nistp521": 2,
    b"sk-ssh-ed25519@openssh.com": 2,
    b"sk-ecdsa-sha2-nistp256@openssh.com": 3,
}


def _string(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def _take(data: bytes) -> tuple[bytes, bytes]:
    """Return the first length-prefixed string and the rest."""
    length = int.from_bytes(data[:4], "big")
    return data[4 : 4 + length], data[4 + length :]
