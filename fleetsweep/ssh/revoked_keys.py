"""RevokedHostKeys of ssh_config(5): a list of public keys, or a key revocation list (KRL) that ssh-keygen reads.

A file that can't be read or understood refuses every key, as in OpenSSH.
"""

from __future__ import annotations

import base64
import binascii
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from fleetsweep.errors import FaultKind, HostError, Phase
from fleetsweep.runtime.files import quoted
from fleetsweep.ssh.cache import FileState, file_state, single_flight
from fleetsweep.ssh.known_hosts import fingerprint
from fleetsweep.ssh.regular_file import KNOWN_HOSTS_LIMIT, expanded, read_regular

_KRL_MAGIC: Final = b"SSHKRL\n\0"
_KEYGEN_TIMEOUT_S: Final = 10.0


def check_not_revoked(file: str, key_type: str, key: bytes, authority: bytes | None = None) -> None:
    """Raise HostError, phase host-key, if ``file`` revokes a host's key or can't be checked.

    ``key`` is the public key or the whole certificate, ``authority`` the public key that signed a certificate.
    """
    path = expanded(file)
    try:
        state = file_state(path.stat())
        revoked = _revoked(str(path), state, key_type, key, authority)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    except ValueError as error:
        raise _unusable(path, str(error)) from error
    if revoked:
        raise HostError(
            Phase.HOST_KEY,
            FaultKind.REVOKED,
            f"{key_type} {fingerprint(key)} is revoked by {path} (RevokedHostKeys)",
            "on the box: rm /etc/ssh/ssh_host_*_key* && ssh-keygen -A; then find out who has the old key",
        )


def _unusable(path: Path, reason: str) -> HostError:
    return HostError(
        Phase.HOST_KEY,
        FaultKind.KNOWN_HOSTS,
        f"RevokedHostKeys {path}: {reason}, so no host key can be accepted",
        f"restore the file (ssh-keygen -Q -l -f {quoted(path)}), or correct RevokedHostKeys",
    )


def _revoked(path: str, state: FileState, key_type: str, key: bytes, authority: bytes | None) -> bool:
    listed = _listed(path, state)
    if listed is None:
        return _in_krl(path, state, key_type, key)
    return key in listed or (authority is not None and authority in listed)


@single_flight
def _listed(path: str, state: FileState) -> frozenset[bytes] | None:
    """Return the keys of a list, or None for a KRL. ``state`` is part of the cache key. Raises OSError, ValueError."""
    content = read_regular(Path(path), KNOWN_HOSTS_LIMIT)
    if content.startswith(_KRL_MAGIC):
        return None
    keys: set[bytes] = set()
    for number, line in enumerate(content.decode("utf-8", "replace").split("\n"), 1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        name = fields[0].encode()
        try:
            key = base64.b64decode(fields[1], validate=True)
        except (IndexError, binascii.Error, ValueError):
            key = b""
        if not key.startswith(len(name).to_bytes(4, "big") + name):
            raise ValueError(f"line {number} is not a public key")
        keys.add(key)
    return frozenset(keys)


@single_flight
def _in_krl(path: str, state: FileState, key_type: str, key: bytes) -> bool:
    """Ask ssh-keygen whether a KRL revokes the key. Raises ValueError if it can't tell."""
    with tempfile.TemporaryDirectory(prefix="fleetsweep-") as directory:
        file = Path(directory) / "key.pub"
        file.write_text(f"{key_type} {base64.b64encode(key).decode()}\n")
        try:
            done = subprocess.run(  # noqa: S603
                ["ssh-keygen", "-Q", "-f", path, str(file)],  # noqa: S607 - the operator's own
                check=False,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                text=True,
                errors="replace",
                timeout=_KEYGEN_TIMEOUT_S,
            )
        except FileNotFoundError:
            raise ValueError("is a KRL, which takes ssh-keygen to read: install the OpenSSH client") from None
        except subprocess.TimeoutExpired:
            raise ValueError(f"ssh-keygen -Q did not end within {_KEYGEN_TIMEOUT_S:g} s") from None
    if done.returncode == 0:
        return False
    if "REVOKED" in done.stdout:
        return True
    raise ValueError(f"ssh-keygen -Q: {(done.stderr or done.stdout).strip()[:200]}")
