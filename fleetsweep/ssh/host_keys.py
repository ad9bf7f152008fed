"""Whether the key that a host presents is the one that is known, and what is done with a new one."""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import stat
from pathlib import Path
from typing import Final

import paramiko

from fleetsweep.errors import HostError, Phase
from fleetsweep.runtime.files import quoted
from fleetsweep.ssh.cache import FileState, file_state, single_flight
from fleetsweep.ssh.known_hosts import Entry, KeyStatus, KnownHosts, fingerprint, lookup_name, parse
from fleetsweep.ssh.options import Trust
from fleetsweep.ssh.regular_file import KNOWN_HOSTS_LIMIT, expanded, read_regular

USER_KNOWN_HOSTS: Final = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
GLOBAL_KNOWN_HOSTS: Final = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


def read_known_hosts(files: tuple[str, ...]) -> KnownHosts:
    """The entries of ``files``; one that isn't there has none. They are read again once they have changed.

    Raises HostError when a file is there and can't be read: skipping it could skip a revocation.
    """
    return _read(files, tuple(_state(name) for name in files))


def _state(name: str) -> FileState | None:
    try:
        # For each host: a Path would take longer to be made than the file to be looked at.
        found = os.stat(os.path.expanduser(name))  # noqa: PTH111, PTH116
    except OSError:
        return None
    return file_state(found)


@single_flight
def _read(files: tuple[str, ...], states: tuple[FileState | None, ...]) -> KnownHosts:
    """``states`` are what the files looked like: the cache's key, so that a file that changed is read again."""
    return _read_fresh(files)


def _read_fresh(files: tuple[str, ...]) -> KnownHosts:
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
                "known-hosts",
                f"{path}: {error.strerror}",
                f"make {path} a file that you may read, or name another with --known-hosts or UserKnownHostsFile",
            ) from error
        entries.extend(_parsed(str(path), text))
    return KnownHosts(entries)


_READ: Final[dict[str, tuple[str, tuple[Entry, ...]]]] = {}


def _parsed(name: str, text: str) -> tuple[Entry, ...]:
    """The entries of a file. Where it only grew, the new lines alone are parsed: accept-new adds one at a time."""
    before, entries = _READ.get(name, ("", ()))
    if not (before.endswith("\n") and text.startswith(before)):
        before, entries = "", ()
    if len(text) > len(before):
        entries = (*entries, *parse(text[len(before) :], name, before.count("\n") + 1))
    _READ[name] = (text, entries)
    return entries


class HostKeyPolicy(paramiko.MissingHostKeyPolicy):
    """Accepts a host key that known_hosts has, or by ``trust`` one of a host that it doesn't have yet.

    ``verified`` tells that it did; ``key`` is what was presented.
    """

    def __init__(self, files: tuple[str, ...], name: str, port: int, trust: Trust, scan: str = "") -> None:
        """``scan`` is the command that asks the host for its keys, for remedies."""
        self._files = files
        self._name = name
        self._port = port
        self._trust = trust
        self._scan = scan or f"ssh-keyscan -p {port} {shlex.quote(name)}"
        self.verified = False
        self.key: paramiko.PKey | None = None

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Raise HostError unless the key is accepted. paramiko calls this before it authenticates."""
        self.key = key
        standing, entries = self._stand(read_known_hosts(self._files), key)
        if standing is KeyStatus.UNKNOWN and self._trust is Trust.ACCEPT_NEW:
            standing, entries = self._accept(key)
        if standing is not KeyStatus.KNOWN:
            raise self._refusal(standing, entries, key)
        self.verified = True

    def _stand(self, known: KnownHosts, key: paramiko.PKey) -> tuple[KeyStatus, tuple[Entry, ...]]:
        return known.stand(self._name, self._port, key.get_name(), key.asbytes())

    def _accept(self, key: paramiko.PKey) -> tuple[KeyStatus, tuple[Entry, ...]]:
        """Remember a new host's key. Under a lock, and after another look: somebody may have been first."""
        if not self._files:
            raise self._not_kept("there is no known_hosts file")
        path = expanded(self._files[0])
        line = f"{lookup_name(self._name, self._port)} {key.get_name()} {key.get_base64()}\n"
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = _open_locked(path)
            try:
                standing, entries = self._stand(_read_fresh(self._files), key)
                if standing is not KeyStatus.UNKNOWN:
                    return standing, entries
                _append(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._not_kept(f"{path}: {error.strerror}") from error
        return KeyStatus.KNOWN, ()

    def _not_kept(self, why: str) -> HostError:
        first = self._files[0] if self._files else "a file"
        return HostError(
            Phase.HOST_KEY,
            "known-hosts",
            f"{why}: the new key of {lookup_name(self._name, self._port)} can't be kept",
            f"make {first} writable to you, or name another with --known-hosts",
        )

    def _refusal(self, standing: KeyStatus, entries: tuple[Entry, ...], key: paramiko.PKey) -> HostError:
        shown = f"{key.get_name()} {fingerprint(key.asbytes())}"
        spelling = lookup_name(self._name, self._port)
        file = quoted(self._files[0]) if self._files else "known_hosts"
        if standing is KeyStatus.REVOKED:
            return HostError(
                Phase.HOST_KEY,
                "revoked",
                f"{spelling} presented {shown}, which {entries[0].where} revokes",
                "on the box: rm /etc/ssh/ssh_host_*_key* && ssh-keygen -A; and find out who has the old key",
            )
        if standing is KeyStatus.CHANGED:
            known = ", ".join(f"{entry.key_type} {fingerprint(entry.key)} ({entry.where})" for entry in entries[:3])
            return HostError(
                Phase.HOST_KEY,
                "changed",
                f"{spelling} presented {shown}, known is {known}",
                f"if the box was rebuilt: {_forget(spelling, entries)}, then add its new key: {self._scan} >> {file}",
            )
        message = f"{spelling} presented {shown}, which no known_hosts file has"
        authorities = read_known_hosts(self._files).authorities(self._name, self._port)
        if authorities:
            message += (
                f"; {authorities[0].where} trusts a host certificate authority, but certificates aren't asked for"
            )
        return HostError(
            Phase.HOST_KEY,
            "unknown",
            message,
            f"compare it on the box, then: {make_directory(self._files)}{self._scan} >> {file}",
        )


def _forget(spelling: str, entries: tuple[Entry, ...]) -> str:
    """The command that takes a host's entries out of the files that have them."""
    found = dict.fromkeys(entry.where.rpartition(":")[0] for entry in entries)
    return " && ".join(f"ssh-keygen -R {shlex.quote(spelling)} -f {quoted(file)}" for file in found)


def make_directory(files: tuple[str, ...]) -> str:
    """What must come before something is added to the first of ``files``; empty where its directory is there."""
    directory = expanded(files[0]).parent if files else Path()
    return "" if directory.is_dir() else f"mkdir -p -m 700 {quoted(directory)} && "


def _open_locked(path: Path) -> int:
    """A descriptor of the file that is there once the lock is held. ssh-keygen -R puts another file in its place."""
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        descriptor = os.open(path, flags, 0o600)
        try:
            _check_kept(descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _check_kept(descriptor: int) -> None:
    """What is written to /dev/null is not remembered: any key would be new each time."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, "is not a regular file")


def _append(descriptor: int, line: str) -> None:
    """Add a whole line or none."""
    size = os.fstat(descriptor).st_size
    # A last line without its end would swallow the new one.
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
