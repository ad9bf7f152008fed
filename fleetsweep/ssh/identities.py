"""The keys that are offered to a server: the configured ones alone, else the agent's and those in the default files.

A server counts each refused key as a failed attempt and disconnects after a few, so no other key is offered.
"""

from __future__ import annotations

import copy
import io
import os
import re
import socket
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, SECP521R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from paramiko.agent import AgentKey, AgentSSH
from paramiko.pkey import UnknownKeyType

from fleetsweep.errors import FaultKind, HostError, Phase
from fleetsweep.runtime.files import quoted
from fleetsweep.ssh import public_keys
from fleetsweep.ssh.cache import FileState, file_state, single_flight
from fleetsweep.ssh.known_hosts import fingerprint
from fleetsweep.ssh.regular_file import CONFIG_LIMIT, expanded, read_regular

DEFAULT_KEYS: Final = ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519")
AGENT_TIMEOUT_S: Final = 5.0


class Keyring:
    """The keys for one log-in, in the order of their offer. Leaving the context closes the connection to the agent.

    ``configured`` are the key files that the operator named; with any, no other key is offered. For a file that can't
    be used itself (encrypted, or on a token) the agent's copy of its key is offered. ``certificate`` and ``agent`` are
    CertificateFile and IdentityAgent of ssh_config(5). Raises HostError, phase auth, if there is no key to offer.
    """

    def __init__(
        self,
        configured: Sequence[str],
        certificate: str | None = None,
        agent: str | None = None,
        defaults: Sequence[str] = DEFAULT_KEYS,
    ) -> None:
        """``defaults`` are the key files that are offered, after the agent's keys, if none is configured."""
        self._default_files = defaults
        self._agent_named = agent
        self._agent: _Agent | None = None
        self._agent_trouble = ""
        self.keys: tuple[paramiko.PKey, ...]
        try:
            found = self._configured(configured) if configured else self._defaults()
            self.keys = found if certificate is None else _with_certificate(found, expanded(certificate))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Keyring:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection to the agent."""
        if self._agent is not None:
            self._agent.close()

    def _configured(self, names: Sequence[str]) -> tuple[paramiko.PKey, ...]:
        usable: list[paramiko.PKey] = []
        missing: HostError | None = None
        for name in dict.fromkeys(names):
            try:
                usable += load_private_keys(name)
            except KeyFileError as error:
                held = self._held_by_agent(error.public)
                usable += held
                if not held:
                    missing = missing or error
        if not usable and missing is not None:
            raise missing
        return tuple(usable)

    def _held_by_agent(self, public: bytes | None) -> list[AgentKey]:
        """Return the agent's copy of a key, and the certificates for it."""
        if public is None:
            return []
        return [key for key in self._agent_keys() if public_keys.plain_key(key.blob) == public]

    def _defaults(self) -> tuple[paramiko.PKey, ...]:
        """Return the agent's keys and those in the default files."""
        found: list[paramiko.PKey] = [*self._agent_keys()]
        held = {key.asbytes() for key in found}
        trouble = [self._agent_trouble or f"the agent has {len(found) or 'no'} keys"]
        for name in self._default_files:
            try:
                found += [key for key in load_private_keys(name) if key.asbytes() not in held or key.public_blob]
            except KeyFileError as error:
                if error.there:
                    trouble.append(error.message)
        if not found:
            raise HostError(
                Phase.AUTH,
                FaultKind.NO_KEY,
                f"no key to offer: {'; '.join(trouble)}, and no key file is configured",
                "ssh-add your key, or name one: --private-key, ansible_ssh_private_key_file or IdentityFile",
            )
        return tuple(found)

    def _agent_keys(self) -> tuple[AgentKey, ...]:
        if self._agent is None and not self._agent_trouble:
            address, unset = _agent_address(self._agent_named)
            if not address:
                self._agent_trouble = f"there is no agent ({unset})"
                return ()
            try:
                self._agent = _Agent(address)
            except (paramiko.SSHException, OSError, ValueError, TypeError) as error:
                self._agent_trouble = f"the agent at {address} does not respond: {error}"
        return () if self._agent is None else self._agent.get_keys()


def _agent_address(named: str | None) -> tuple[str, str]:
    """Return the agent's socket for a value of IdentityAgent (ssh_config(5)); or empty, and the reason."""
    if named is not None and named.lower() == "none":
        return "", "IdentityAgent is none"
    if named is None or named == "SSH_AUTH_SOCK":
        named = "$SSH_AUTH_SOCK"
    if named.startswith("$"):
        variable = named[1:].removeprefix("{").removesuffix("}")
        return os.environ.get(variable, ""), f"{variable} is not set"
    return str(expanded(named)), ""


class _Agent(AgentSSH):
    """The user's agent. paramiko's own client has no timeout for an agent that hangs."""

    def __init__(self, address: str) -> None:
        super().__init__()
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(AGENT_TIMEOUT_S)
            connection.connect(address)
            self._connect(connection)  # type: ignore[attr-defined]
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._close()  # type: ignore[attr-defined]


def _with_certificate(keys: Sequence[paramiko.PKey], path: Path) -> tuple[paramiko.PKey, ...]:
    """Return the keys, with the certified key before its plain one. A missing file changes nothing."""
    if not path.exists():
        return tuple(keys)
    line = _content(path)
    certificate = public_keys.parse_line(line)
    plain = None if certificate is None else public_keys.plain_key(certificate)
    if certificate is None or plain == certificate:
        raise KeyFileError(path, "is not a certificate", f"check the file: ssh-keygen -l -f {quoted(path)}")
    if certificate in map(_offered_blob, keys):
        return tuple(keys)
    found: list[paramiko.PKey] = []
    for key in keys:
        if _offered_blob(key) == plain:
            # copy.copy() of an AgentKey recurses without end in its __getattr__.
            certified = AgentKey(key.agent, key.blob) if isinstance(key, AgentKey) else copy.copy(key)
            certified.load_certificate(line.decode())
            found.append(certified)
        found.append(key)
    return tuple(found)


def _offered_blob(key: paramiko.PKey) -> bytes:
    """Return the public part that a server receives: the certificate if the key has one."""
    if key.public_blob is not None:
        return bytes(key.public_blob.key_blob)
    return bytes(key.blob) if isinstance(key, AgentKey) else key.asbytes()


def _plain_half(key: paramiko.PKey) -> bytes:
    return public_keys.plain_key(_offered_blob(key))


@dataclass(frozen=True, slots=True)
class PublicKeyAuth:
    """Public key authentication with several keys: an ``auth_strategy`` of paramiko."""

    user: str
    keys: Sequence[paramiko.PKey]
    names: str
    where: str
    offered: list[paramiko.PKey] = field(default_factory=list)

    def authenticate(self, transport: paramiko.Transport) -> list[str]:
        """Log in. Raises HostError if the server refused every key, and paramiko's error if the connection ended."""
        accepted: list[str] = []
        used: set[bytes] = set()
        for key in self.keys:
            # The server takes a key once, with or without a certificate.
            if used and _plain_half(key) in used:
                continue
            self.offered.append(key)
            try:
                further = transport.auth_publickey(self.user, key)
            except paramiko.BadAuthenticationType as error:
                raise self._denied(
                    f"accepts no keys, only {', '.join(error.allowed_types)}",
                    "allow keys in its sshd_config: sudo sshd -T | grep -i pubkeyauthentication",
                ) from error
            except paramiko.AuthenticationException as error:
                if "agree on a pubkey algorithm" in str(error):
                    raise self._denied(
                        f"accepts {_description(key)} with SHA-1 only",
                        "update its sshd, or create an ed25519 key: ssh-keygen -t ed25519",
                    ) from error
                if not transport.is_active():
                    if len(self.offered) > 1:
                        raise self._denied(
                            f"disconnected after {len(self.offered)} keys (MaxAuthTries)",
                            "name the one key to offer: --private-key, ansible_ssh_private_key_file or IdentityFile",
                        ) from error
                    raise
                if "timeout" in str(error).lower():
                    raise
                continue
            if not further:
                return []
            accepted.append(_description(key))
            used.add(_plain_half(key))
            if "publickey" not in further:
                raise self._denied(
                    f"accepted the key {', '.join(accepted)} and also requires {', '.join(further)}",
                    f"allow a key alone for {self.user} in its sshd_config (AuthenticationMethods)",
                )
        if accepted:
            raise self._denied(
                f"accepted the key {', '.join(accepted)} and also requires another one (AuthenticationMethods)",
                "name all keys in the SSH configuration, one IdentityFile line each, or load them into the agent",
            )
        shown = [_description(key) for key in self.offered]
        old = any(each.startswith("ssh-rsa ") for each in shown)
        raise self._denied(
            f"refused {self.names} ({', '.join(shown[:3])}{', …' if len(shown) > 3 else ''})",
            f"add the public key to authorized_keys of {self.user} on the box, or name another key or user"
            + ("; an old sshd accepts RSA keys with SHA-1 only: ssh-keygen -t ed25519" if old else ""),
        )

    def _denied(self, what: str, remedy: str) -> HostError:
        return HostError(Phase.AUTH, FaultKind.DENIED, f"{self.where} {what} for {self.user}", remedy)


def _description(key: paramiko.PKey) -> str:
    kind = key.public_blob.key_type if key.public_blob else key.get_name()
    return f"{kind} {fingerprint(key.asbytes())}"


class KeyFileError(HostError):
    """A key file is unusable. ``public`` is its public half if that is readable, ``there`` whether the file exists."""

    def __init__(self, path: Path, what: str, remedy: str, public: bytes | None = None, *, there: bool = True) -> None:
        super().__init__(Phase.AUTH, FaultKind.KEY_FILE, f"key file {path} {what}", remedy)
        self.public = public
        self.there = there


def load_private_keys(name: str) -> tuple[paramiko.PKey, ...]:
    """Return the private key in a file; if there is a certificate beside it, first with it and then without.

    The file is read once a run. Raises KeyFileError.
    """
    path = expanded(name)
    state = _state(path)
    try:
        return _loaded(str(path), state)
    except (paramiko.PasswordRequiredException, TypeError):
        raise KeyFileError(
            path, "is encrypted", f"ssh-add {quoted(path)}", public_keys.public_half(path, _content(path))
        ) from None
    except UnknownKeyType:
        raise KeyFileError(
            path,
            "is not an RSA, ECDSA or Ed25519 key that SSH knows",
            "create one: ssh-keygen -t ed25519",
            public_keys.public_half(path, _content(path)),
        ) from None
    except UnsupportedAlgorithm:
        raise KeyFileError(
            path,
            "is of a type that only an agent can use",
            f"ssh-add {quoted(path)}",
            public_keys.public_half(path, _content(path)),
        ) from None
    except OSError as error:
        raise _unreadable(path, error) from error
    except (paramiko.SSHException, ValueError) as error:
        raise _no_private_key(path, _content(path), error) from error


_PRIVATE_KEY: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----.*?-----END \1PRIVATE KEY-----", re.DOTALL)


def parse_private_key(data: bytes) -> paramiko.PKey:
    """Return the first private key in OpenSSH's, PEM or PKCS#8 format. Other text and blocks are skipped.

    Raises ValueError, TypeError if the key is encrypted, and UnsupportedAlgorithm or UnknownKeyType for other types.
    """
    found = _PRIVATE_KEY.search(data)
    block = (found[0] if found is not None else data) + b"\n"
    is_openssh = found is not None and found[1] == b"OPENSSH "
    loaded = load_ssh_private_key(block, None) if is_openssh else load_pem_private_key(block, None)
    if isinstance(loaded, RSAPrivateKey):
        return paramiko.RSAKey(key=loaded)
    if isinstance(loaded, EllipticCurvePrivateKey) and isinstance(loaded.curve, (SECP256R1, SECP384R1, SECP521R1)):
        return paramiko.ECDSAKey(vals=(loaded, loaded.public_key()))
    if isinstance(loaded, Ed25519PrivateKey):
        # paramiko takes these in one format alone.
        text = loaded.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
        return paramiko.Ed25519Key(file_obj=io.StringIO(text))
    raise UnknownKeyType(key_type=type(loaded).__name__, key_bytes=b"")


@single_flight
def _loaded(path: str, state: FileState) -> tuple[paramiko.PKey, ...]:
    """Load a file once. ``state`` is part of the cache key, so that a changed file is read again."""
    key = parse_private_key(_content(Path(path)))
    certificate = _certificate_beside(Path(path))
    if not certificate.exists():
        return (key,)
    key.load_certificate(str(certificate))
    plain = copy.copy(key)
    plain.public_blob = None
    return key, plain


def _state(path: Path) -> FileState:
    try:
        found = path.stat()
    except FileNotFoundError:
        raise KeyFileError(path, "does not exist", "check the name of the key file", there=False) from None
    except OSError as error:
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(found.st_mode):
        # Reading a pipe could block for ever.
        raise KeyFileError(path, "is not a file", "name the private key")
    # OpenSSH's rule (sshkey_perm_ok): only the user's own files are checked. A file with a public key may be readable
    # by all: it names a key that the agent holds.
    if found.st_uid == os.getuid() and found.st_mode & 0o077 and b"PRIVATE KEY-----" in _content(path):
        raise KeyFileError(
            path,
            f"is accessible to other users (mode {stat.S_IMODE(found.st_mode):04o})",
            f"chmod 600 {quoted(path)}",
            public_keys.public_half(path, _content(path)),
        )
    for file, size in ((path, found.st_size), (certificate := _certificate_beside(path), _size(certificate))):
        if size > CONFIG_LIMIT:
            raise KeyFileError(file, f"is larger than {CONFIG_LIMIT >> 20} MiB", "name the private key")
    return file_state(found)


def _certificate_beside(path: Path) -> Path:
    """Return where paramiko, like ssh, looks for a key's certificate."""
    return path.with_name(f"{path.name}-cert.pub")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _content(path: Path) -> bytes:
    try:
        return read_regular(path, CONFIG_LIMIT)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> KeyFileError:
    return KeyFileError(path, f"can't be read: {error.strerror}", f"make {path} a readable file")


def _no_private_key(path: Path, data: bytes, error: BaseException) -> KeyFileError:
    if not data.strip():
        return KeyFileError(path, "is empty", "restore the private key, or name another")
    if data.startswith(b"PuTTY-User-Key-File"):
        new = path.with_name(f"{path.stem}-openssh")
        convert = f"puttygen {quoted(path)} -O private-openssh -o {quoted(new)}"
        return KeyFileError(path, "is a PuTTY key", f"{convert}, then name {new}")
    public = public_keys.parse_line(data)
    if public is not None:
        private = str(path).removesuffix(".pub")
        return KeyFileError(path, "is a public key", f"name the private key, or ssh-add {quoted(private)}", public)
    return KeyFileError(path, f"is not a usable private key: {error}", "name the private key")
