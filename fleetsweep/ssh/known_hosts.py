"""A parser of known_hosts that skips invalid lines, as OpenSSH does, instead of rejecting the file.

Format: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase

from fleetsweep.ssh.canonical import numeric_address
from fleetsweep.ssh.public_keys import plain_key

_SPECIAL = frozenset("*?!|")


class KeyStatus(Enum):
    """How a presented host key compares with known_hosts."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Entry:
    """One valid line: its marker (empty, ``@revoked`` or ``@cert-authority``), host patterns, key, and file:line."""

    marker: str
    patterns: tuple[str, ...]
    key_type: str
    key: bytes
    where: str


class KnownHosts:
    """The entries of any number of files, indexed for the lookup of a host."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._plain: dict[str, list[Entry]] = {}
        self._patterned: list[Entry] = []
        self._marked = False
        for entry in entries:
            self._marked = self._marked or bool(entry.marker)
            if any(not _SPECIAL.isdisjoint(pattern) for pattern in entry.patterns):
                self._patterned.append(entry)
            else:
                for pattern in entry.patterns:
                    self._plain.setdefault(_one_form(pattern.lower()), []).append(entry)

    def key_types(self, name: str, port: int) -> tuple[str, ...]:
        """Return the key types known for a host, which should be negotiated first."""
        known = self._known(name, port) or self._keys_of(name)
        return tuple(dict.fromkeys(entry.key_type for entry in known))

    def authorities(self, name: str, port: int) -> tuple[Entry, ...]:
        """Return the certificate authorities that are trusted for this host."""
        return self._with_marker("@cert-authority", name, port)

    def revocations(self, name: str, port: int) -> tuple[Entry, ...]:
        """Return the keys, of hosts and of authorities, that are revoked for this host."""
        return self._with_marker("@revoked", name, port)

    def _with_marker(self, marker: str, name: str, port: int) -> tuple[Entry, ...]:
        # Few files have markers, and this is called for every host.
        if not self._marked:
            return ()
        found = [*self._matching(lookup_name(name, port)), *self._matching(name)]
        return tuple(dict.fromkeys(entry for entry in found if entry.marker == marker))

    def status_of(self, name: str, port: int, key_type: str, key: bytes) -> tuple[KeyStatus, tuple[Entry, ...]]:
        """Return the status of a key presented by ``name``, and the entries that decide it. Revocation always wins."""
        revoked = tuple(entry for entry in self.revocations(name, port) if plain_key(entry.key) == key)
        if revoked:
            return KeyStatus.REVOKED, revoked
        known = self._known(name, port)
        same = tuple(entry for entry in known if entry.key == key)
        if same:
            return KeyStatus.KNOWN, same
        if port != 22:
            bare = tuple(entry for entry in self._keys_of(name) if entry.key == key)
            if bare and not known:
                return KeyStatus.KNOWN, bare
        return (KeyStatus.CHANGED, known) if known else (KeyStatus.UNKNOWN, ())

    def _known(self, name: str, port: int) -> tuple[Entry, ...]:
        return self._keys_of(lookup_name(name, port))

    def _keys_of(self, spelling: str) -> tuple[Entry, ...]:
        return tuple(entry for entry in self._matching(spelling) if not entry.marker)

    def _matching(self, spelling: str) -> list[Entry]:
        spelling = _one_form(spelling.lower())
        found = list(self._plain.get(spelling, ()))
        found.extend(entry for entry in self._patterned if _matches(entry.patterns, spelling))
        return found


def _one_form(spelling: str) -> str:
    """Return a spelling with its IPv6 address in the usual form, and without the port 22, which is never written."""
    if spelling.startswith("["):
        host, _, port = spelling[1:].rpartition("]:")
        if port == "22":
            return _one_form(host)
        return f"[{numeric_address(host) or host}]:{port}" if ":" in host else spelling
    return numeric_address(spelling) or spelling if spelling.count(":") > 1 else spelling


def lookup_name(name: str, port: int) -> str:
    """Return the name of a host in known_hosts."""
    return name if port == 22 else f"[{name}]:{port}"


def parse(text: str, where: str, first: int = 1) -> list[Entry]:
    """Return the valid entries of a text whose first line has the number ``first``. Other lines are skipped."""
    entries = []
    for number, line in enumerate(text.split("\n"), first):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        marker = fields.pop(0) if fields[0].startswith("@") else ""
        if len(fields) < 3:
            continue
        try:
            key = base64.b64decode(fields[2], validate=True)
        except (binascii.Error, ValueError):
            continue
        if marker not in {"", "@revoked", "@cert-authority"} or not key.startswith(_prefix(fields[1])):
            continue
        entries.append(Entry(marker, tuple(fields[0].split(",")), fields[1], key, f"{where}:{number}"))
    return entries


def _prefix(key_type: str) -> bytes:
    name = key_type.encode(errors="replace")
    return len(name).to_bytes(4, "big") + name


def _matches(patterns: tuple[str, ...], spelling: str) -> bool:
    matched = False
    for pattern in patterns:
        if pattern.startswith("|1|"):
            matched = matched or _matches_hash(pattern, spelling)
        elif pattern.startswith("!"):
            if _glob(pattern[1:], spelling):
                return False
        else:
            matched = matched or _glob(pattern, spelling)
    return matched


def _glob(pattern: str, spelling: str) -> bool:
    # In this format only * and ? are special. A bracket is literal, as in [host]:port.
    return fnmatchcase(spelling, pattern.lower().replace("[", "[[]"))


def _matches_hash(pattern: str, spelling: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in pattern[3:].split("|"))
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.new(salt, spelling.encode(), hashlib.sha1).digest(), digest)


def fingerprint(key: bytes) -> str:
    """Return ``SHA256:…`` as ssh-keygen -l prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")
