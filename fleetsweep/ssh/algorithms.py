"""What HostKeyAlgorithms, PubkeyAcceptedAlgorithms and RequiredRSASize leave of the algorithms and keys.

A list may begin with ``+``, ``-`` or ``^``, as in ssh_config(5). It is applied to the names that are offered here, so
it can forbid and reorder, and never adds a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import paramiko

from fleetsweep.errors import FaultKind, HostError, Phase
from fleetsweep.ssh.config_text import matches

_CERTIFICATE: Final = "-cert-v01@openssh.com"

SIGNATURES: Final[tuple[str, ...]] = paramiko.Transport._preferred_pubkeys  # type: ignore[attr-defined]
"""The signature algorithms with which a key of ours can log in."""


def select(spec: str | None, offered: Sequence[str]) -> tuple[str, ...]:
    """Return the offered names that ``spec`` allows, in its order."""
    if spec is None or spec.startswith("+"):
        # What ``+`` adds is either offered already or not supported.
        return tuple(offered)
    patterns = spec.lstrip("-^").split(",")
    if spec.startswith("-"):
        return tuple(name for name in offered if not any(matches(name, pattern) for pattern in patterns))
    named = [name for pattern in patterns for name in offered if matches(name, pattern)]
    return tuple(dict.fromkeys([*named, *(offered if spec.startswith("^") else ())]))


def signature_algorithms(spec: str | None) -> tuple[str, ...]:
    """Return the signature algorithms that PubkeyAcceptedAlgorithms allows for a key or for its certificate."""
    allowed = _allowed_signatures(spec)
    return tuple(name for name in SIGNATURES if name in allowed or f"{name}{_CERTIFICATE}" in allowed)


def _allowed_signatures(spec: str | None) -> frozenset[str]:
    return frozenset(select(spec, (*SIGNATURES, *(f"{name}{_CERTIFICATE}" for name in SIGNATURES))))


def usable_keys(keys: Sequence[paramiko.PKey], spec: str | None, min_rsa_bits: int) -> tuple[paramiko.PKey, ...]:
    """Return the keys that PubkeyAcceptedAlgorithms and RequiredRSASize allow to offer.

    Raises HostError, phase auth, if none is left.
    """
    if spec is None:
        kept = tuple(key for key in keys if not is_short_rsa(key, min_rsa_bits))
    else:
        allowed = _allowed_signatures(spec)
        kept = tuple(key for key in keys if _algorithms_of(key) & allowed and not is_short_rsa(key, min_rsa_bits))
    if keys and not kept:
        shown = ", ".join(dict.fromkeys(_kind(key) for key in keys))
        raise HostError(
            Phase.AUTH,
            FaultKind.NO_KEY,
            f"no key may be offered: PubkeyAcceptedAlgorithms {spec or '(default)'} and RequiredRSASize {min_rsa_bits} "
            f"forbid {shown}",
            "name a key that they allow, or change them in the SSH configuration",
        )
    return kept


def is_short_rsa(key: paramiko.PKey, min_bits: int) -> bool:
    """Return whether this is an RSA key with fewer bits than allowed."""
    return key.get_name().startswith("ssh-rsa") and 0 < key.get_bits() < min_bits


def _kind(key: paramiko.PKey) -> str:
    return str(key.public_blob.key_type) if key.public_blob else key.get_name()


def _algorithms_of(key: paramiko.PKey) -> set[str]:
    """Return the names of the algorithms by which a key, or a key with its certificate, signs."""
    kind = _kind(key)
    suffix = _CERTIFICATE if kind.endswith(_CERTIFICATE) else ""
    if kind.removesuffix(_CERTIFICATE) != "ssh-rsa":
        return {kind}
    return {f"{name}{suffix}" for name in ("rsa-sha2-512", "rsa-sha2-256")}
