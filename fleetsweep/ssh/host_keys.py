"""Verify the key that a host presents against known_hosts, and save a new one where that is allowed."""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import paramiko

from fleetsweep.errors import FaultKind, HostError, Phase
from fleetsweep.runtime.files import quoted
from fleetsweep.ssh.algorithms import is_short_rsa, select
from fleetsweep.ssh.cache import FileState, file_state, single_flight
from fleetsweep.ssh.known_hosts import Entry, KeyStatus, KnownHosts, fingerprint, lookup_name, parse
from fleetsweep.ssh.options import Trust
from fleetsweep.ssh.public_keys import certificate_signature, key_type
from fleetsweep.ssh.regular_file import KNOWN_HOSTS_LIMIT, expanded, read_regular
from fleetsweep.ssh.revoked_keys import check_not_revoked
from fleetsweep.ssh.transport import StreamlocalTransport

if TYPE_CHECKING:
    from fleetsweep.model.host_key import UnknownKey
    from fleetsweep.ssh.host_certificates import Problem

USER_KNOWN_HOSTS: Final = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
GLOBAL_KNOWN_HOSTS: Final = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


LEARN: Final = "run fleetsweep doctor --learn-keys with the same options"
"""The remedy for a host whose key no command can print, since a ProxyCommand is before it."""


def read_known_hosts(files: tuple[str, ...]) -> KnownHosts:
    """Return the entries of ``files``. A missing file has none; changed files are read again.

    Raises HostError when an existing file can't be read: skipping it could skip a revocation.
    """
    return _read(files, tuple(_state(name) for name in files))


def _state(name: str) -> FileState | None:
    try:
        # This runs for every host: building a Path takes longer than the stat itself.
        found = os.stat(os.path.expanduser(name))  # noqa: PTH111, PTH116
    except OSError:
        return None
    return file_state(found)


@single_flight
def _read(files: tuple[str, ...], states: tuple[FileState | None, ...]) -> KnownHosts:
    """Read the files once. ``states`` is part of the cache key, so that a changed file is read again."""
    return read_fresh(files)


def read_fresh(files: tuple[str, ...]) -> KnownHosts:
    """Return the entries of ``files`` as they are now. Raises HostError."""
    entries: list[Entry] = []
    for name in files:
        path = expanded(name)
        try:
            text = read_regular(path, KNOWN_HOSTS_LIMIT).decode("utf-8", "replace")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise HostError(
                Phase.HOST_KEY,
                FaultKind.KNOWN_HOSTS,
                f"{path}: {error.strerror}",
                f"make {path} a file that you may read, or name another with --known-hosts or UserKnownHostsFile",
            ) from error
        entries.extend(_parsed(str(path), text))
    return KnownHosts(entries)


_PARSED: Final[dict[str, tuple[str, tuple[Entry, ...]]]] = {}


def _parsed(name: str, text: str) -> tuple[Entry, ...]:
    """Return the entries of a file. Only lines appended since the last call are parsed: accept-new adds one a host."""
    previous, entries = _PARSED.get(name, ("", ()))
    if not (previous.endswith("\n") and text.startswith(previous)):
        previous, entries = "", ()
    if len(text) > len(previous):
        entries = (*entries, *parse(text[len(previous) :], name, previous.count("\n") + 1))
    _PARSED[name] = (text, entries)
    return entries


@dataclass(frozen=True, slots=True)
class KeyRules:
    """Further rules for a host's key.

    ``save_to`` is the file for a new key, None if there is none. ``revoked_keys`` is RevokedHostKeys, ``min_rsa_bits``
    RequiredRSASize, ``ca_algorithms`` CASignatureAlgorithms.
    ``not_obeyed`` is a setting that would turn the check off, for messages. ``on_unknown_key`` is called with a key
    that is refused because known_hosts has none; ``host`` is the inventory's name for it.
    """

    save_to: str | None
    revoked_keys: str | None = None
    min_rsa_bits: int = 0
    ca_algorithms: str | None = None
    not_obeyed: str = ""
    host: str = ""
    on_unknown_key: Callable[[UnknownKey], None] | None = None


class HostKeyPolicy(paramiko.MissingHostKeyPolicy):
    """Accepts a host key that known_hosts has or that an authority in known_hosts certifies.

    With ``Trust.ACCEPT_NEW`` also the first key of an unknown host. ``key`` is the presented key, or the one in the
    presented certificate; ``verified`` is whether it was accepted.
    """

    def __init__(
        self,
        files: tuple[str, ...],
        name: str,
        port: int,
        trust: Trust,
        scan: str | None = None,
        rules: KeyRules | None = None,
        known: KnownHosts | None = None,
    ) -> None:
        """``scan`` is the command that prints the host's keys, for remedies; empty if none can.

        ``known`` are the files if just read.
        """
        self._known = known
        self._rules = rules or KeyRules(files[0] if files else None)
        self._files = files
        self._name = name
        self._port = port
        self._trust = trust
        self._scan = f"ssh-keyscan -p {port} {shlex.quote(name)}" if scan is None else scan
        self.verified = False
        self.key: paramiko.PKey | None = None

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Raise HostError unless the key is accepted. paramiko calls this before it authenticates."""
        self.key = key
        known = read_known_hosts(self._files) if self._known is None else self._known
        status, entries = self._status(known, key)
        transport = client.get_transport()
        certificate = transport.host_certificate if isinstance(transport, StreamlocalTransport) else None
        self._check_rules(key, certificate)
        if certificate is not None and self._certified(certificate, known, status):
            self.verified = True
            return
        if status is KeyStatus.UNKNOWN and self._trust is Trust.ACCEPT_NEW:
            status, entries = self._accept(key)
        if status is not KeyStatus.KNOWN:
            # Where an authority certifies the keys of a host, a key without a certificate is suspect.
            if status is KeyStatus.UNKNOWN and not known.authorities(self._name, self._port):
                self._report_unknown(key)
            raise self._refusal(status, entries, key)
        self.verified = True

    def _report_unknown(self, key: paramiko.PKey) -> None:
        if self._rules.on_unknown_key is None:
            return
        from fleetsweep.model.host_key import UnknownKey

        encoded, name = key.asbytes(), lookup_name(self._name, self._port)
        self._rules.on_unknown_key(
            UnknownKey(
                self._rules.host,
                name,
                key.get_name(),
                encoded,
                fingerprint(encoded),
                self._files,
                None if self._rules.save_to is None else str(expanded(self._rules.save_to)),
            )
        )

    def _certified(self, certificate: bytes, known: KnownHosts, status: KeyStatus) -> bool:
        """Return whether a certificate proves the key; False if only known_hosts can. Raises HostError to refuse it.

        As in OpenSSH, a known key is accepted with an invalid certificate. A new one is not: unlike OpenSSH's, our
        accept-new saves no key whose certificate is invalid.
        """
        # Its parts of cryptography take time to load, and few hosts have certificates.
        from fleetsweep.ssh.host_certificates import find_problem

        authorities = known.authorities(self._name, self._port)
        revocations = known.revocations(self._name, self._port)
        # ssh looks for the name in lower case, and for an alias too.
        problem = find_problem(certificate, self._name.lower(), authorities, revocations)
        if problem is None:
            problem = self._forbidden_signature(certificate)
        if problem is None:
            return True
        if problem.final or (authorities and status is not KeyStatus.KNOWN):
            raise HostError(
                Phase.HOST_KEY,
                FaultKind.REVOKED if problem.revoked else FaultKind.CERTIFICATE,
                f"{lookup_name(self._name, self._port)} presented a host certificate {problem.what}",
                problem.remedy,
            )
        return False

    def _forbidden_signature(self, certificate: bytes) -> Problem | None:
        from fleetsweep.ssh.host_certificates import Problem

        algorithm = certificate_signature(certificate)[1].decode("utf-8", "replace")
        if select(self._rules.ca_algorithms, (algorithm,)):
            return None
        return Problem(f"signed with {algorithm}, which CASignatureAlgorithms forbids", "sign it with another key")

    def _check_rules(self, key: paramiko.PKey, certificate: bytes | None) -> None:
        """Raise HostError for a key that RevokedHostKeys or RequiredRSASize forbids, whatever known_hosts has."""
        if self._rules.revoked_keys is not None:
            check_not_revoked(self._rules.revoked_keys, key.get_name(), key.asbytes())
            if certificate is not None:
                authority, _ = certificate_signature(certificate)
                check_not_revoked(
                    self._rules.revoked_keys, key_type(certificate).decode("utf-8", "replace"), certificate, authority
                )
        if is_short_rsa(key, self._rules.min_rsa_bits):
            raise HostError(
                Phase.HOST_KEY,
                FaultKind.DENIED,
                f"{lookup_name(self._name, self._port)} presented an RSA key of {key.get_bits()} bits, and "
                f"RequiredRSASize is {self._rules.min_rsa_bits}",
                "create a longer host key on the box: ssh-keygen -A, or lower RequiredRSASize",
            )

    def _status(self, known: KnownHosts, key: paramiko.PKey) -> tuple[KeyStatus, tuple[Entry, ...]]:
        return known.status_of(self._name, self._port, key.get_name(), key.asbytes())

    def _accept(self, key: paramiko.PKey) -> tuple[KeyStatus, tuple[Entry, ...]]:
        """Save a new host's key. Checks again under the lock: another process may have saved one meanwhile."""
        if self._rules.save_to is None:
            raise self._not_saved("UserKnownHostsFile names no file")
        path = expanded(self._rules.save_to)
        if not path.is_absolute():
            raise self._not_saved(f"{path} is relative, so it depends on the directory of each run")
        line = f"{lookup_name(self._name, self._port)} {key.get_name()} {key.get_base64()}\n"
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = open_locked(path)
            try:
                status, entries = self._status(read_fresh(self._files), key)
                if status is not KeyStatus.UNKNOWN:
                    return status, entries
                _append(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._not_saved(f"{path}: {error.strerror}") from error
        return KeyStatus.KNOWN, ()

    def _not_saved(self, reason: str) -> HostError:
        first = self._rules.save_to
        usable = first is not None and expanded(first).is_absolute() and not expanded(first).is_dir()
        way_out = f"make {first} a file that you may write to, or name" if usable and first != "/dev/null" else "name"
        return HostError(
            Phase.HOST_KEY,
            FaultKind.KNOWN_HOSTS,
            f"{reason}: the new key of {lookup_name(self._name, self._port)} can't be saved",
            f"{way_out} another with --known-hosts or UserKnownHostsFile, or use --host-key strict",
        )

    def _refusal(self, status: KeyStatus, entries: tuple[Entry, ...], key: paramiko.PKey) -> HostError:
        shown = f"{key.get_name()} {fingerprint(key.asbytes())}"
        spelling = lookup_name(self._name, self._port)
        file = quoted(self._files[0]) if self._files else "known_hosts"
        add = f"{make_directory(self._files)}{self._scan} >> {file}" if self._scan else LEARN
        if status is KeyStatus.REVOKED:
            return HostError(
                Phase.HOST_KEY,
                FaultKind.REVOKED,
                f"{spelling} presented {shown}, which {entries[0].where} revokes",
                "on the box: rm /etc/ssh/ssh_host_*_key* && ssh-keygen -A; then find out who has the old key",
            )
        if status is KeyStatus.CHANGED:
            known = ", ".join(f"{entry.key_type} {fingerprint(entry.key)} ({entry.where})" for entry in entries[:3])
            return HostError(
                Phase.HOST_KEY,
                FaultKind.CHANGED,
                f"{spelling} presented {shown}, but known_hosts has {known}",
                f"if the box was rebuilt: {_removal(spelling, entries)}; then add its new key: {add}",
            )
        message = f"{spelling} presented {shown}, which is not in known_hosts"
        if self._rules.not_obeyed:
            message += f"; {self._rules.not_obeyed} is not obeyed: host keys are always verified"
        authorities = read_known_hosts(self._files).authorities(self._name, self._port)
        if authorities:
            message += f", and no host certificate, for which {authorities[0].where} has an authority"
        return HostError(
            Phase.HOST_KEY,
            FaultKind.UNKNOWN,
            message,
            f"compare the key on the box, then: {add}",
        )


def _removal(spelling: str, entries: tuple[Entry, ...]) -> str:
    """Return the command that removes a host's entries from their files."""
    found = dict.fromkeys(entry.where.rpartition(":")[0] for entry in entries)
    return " && ".join(f"ssh-keygen -R {shlex.quote(spelling)} -f {quoted(file)}" for file in found)


def make_directory(files: tuple[str, ...]) -> str:
    """Return the start of a command that appends to the first of ``files``; empty if its directory exists."""
    directory = expanded(files[0]).parent if files else Path()
    return "" if directory.is_dir() else f"mkdir -p -m 700 {quoted(directory)} && "


def open_locked(path: Path) -> int:
    """Open and lock a file. Opens it again if ssh-keygen -R replaced it before the lock was held."""
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        descriptor = os.open(path, flags, 0o600)
        try:
            _check_regular(descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _check_regular(descriptor: int) -> None:
    """Raise OSError for /dev/null and the like, which would forget the key: every key would be new each time."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, "is not a regular file")


def _append(descriptor: int, line: str) -> None:
    """Append a line completely or not at all."""
    size = os.fstat(descriptor).st_size
    # A last line without a line break would swallow the new one.
    ended = size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"
    data = (line if ended else f"\n{line}").encode()
    whole = False
    try:
        whole = os.write(descriptor, data) == len(data)
    finally:
        if not whole:
            os.ftruncate(descriptor, size)
    if not whole:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if os.pread(descriptor, len(data), size) != data:
        raise OSError(errno.EINVAL, "does not keep what is written to it")
