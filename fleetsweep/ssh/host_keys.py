"""Whether the key that a host presents is the one that is known, and what is done with a new one."""

from __future__ import annotations

import fcntl
import os
from functools import lru_cache
from pathlib import Path

import paramiko

from fleetsweep.errors import HostError, Phase
from fleetsweep.ssh.known_hosts import Entry, KnownHosts, Standing, fingerprint, lookup_name, parse
from fleetsweep.ssh.options import Trust

USUAL_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts")


@lru_cache(maxsize=64)
def read_known_hosts(files: tuple[str, ...]) -> KnownHosts:
    """The entries of ``files``; one that isn't there has none. Read once a run.

    Raises HostError when a file is there and can't be read: skipping it could skip a revocation.
    """
    return _read_fresh(files)


def _read_fresh(files: tuple[str, ...]) -> KnownHosts:
    entries = []
    for name in files:
        path = Path(name).expanduser()
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise HostError(
                Phase.HOST_KEY, "known-hosts", f"{path}: {error.strerror}", f"make {path} readable"
            ) from error
        entries.extend(parse(text, str(path)))
    return KnownHosts(entries)


class HostKeyPolicy(paramiko.MissingHostKeyPolicy):
    """Accepts a host key that known_hosts has, or by ``trust`` one of a host that it doesn't have yet.

    ``verified`` tells that it did; ``key`` is what was presented.
    """

    def __init__(self, files: tuple[str, ...], name: str, port: int, trust: Trust) -> None:
        self._files = files
        self._name = name
        self._port = port
        self._trust = trust
        self.verified = False
        self.key: paramiko.PKey | None = None

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Raise HostError unless the key is accepted. paramiko calls this before it authenticates."""
        self.key = key
        standing, entries = self._stand(read_known_hosts(self._files), key)
        if standing is Standing.UNKNOWN and self._trust is Trust.ACCEPT_NEW:
            standing, entries = self._accept(key)
        if standing is not Standing.KNOWN:
            raise self._refusal(standing, entries, key)
        self.verified = True

    def _stand(self, known: KnownHosts, key: paramiko.PKey) -> tuple[Standing, tuple[Entry, ...]]:
        return known.stand(self._name, self._port, key.get_name(), key.asbytes())

    def _accept(self, key: paramiko.PKey) -> tuple[Standing, tuple[Entry, ...]]:
        """Remember a new host's key. Under a lock, and after another look: somebody may have been first."""
        path = Path(self._files[0]).expanduser()
        line = f"{lookup_name(self._name, self._port)} {key.get_name()} {key.get_base64()}\n"
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                standing, entries = self._stand(_read_fresh(self._files), key)
                if standing is not Standing.UNKNOWN:
                    return standing, entries
                size = os.fstat(descriptor).st_size
                # A last line without its end would swallow the new one.
                ended = size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"
                os.write(descriptor, (line if ended else f"\n{line}").encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise HostError(
                Phase.HOST_KEY,
                "known-hosts",
                f"{path}: {error.strerror}: the new key can't be kept",
                "make it writable",
            ) from error
        read_known_hosts.cache_clear()
        return Standing.KNOWN, ()

    def _refusal(self, standing: Standing, entries: tuple[Entry, ...], key: paramiko.PKey) -> HostError:
        shown = f"{key.get_name()} {fingerprint(key.asbytes())}"
        spelling = lookup_name(self._name, self._port)
        if standing is Standing.REVOKED:
            return HostError(
                Phase.HOST_KEY,
                "revoked",
                f"{spelling} presented {shown}, which {entries[0].where} revokes",
                "give the box a new host key, and find out who has the old one",
            )
        if standing is Standing.CHANGED:
            known = ", ".join(f"{entry.key_type} {fingerprint(entry.key)} ({entry.where})" for entry in entries[:3])
            return HostError(
                Phase.HOST_KEY,
                "changed",
                f"{spelling} presented {shown}, known is {known}",
                f"if the box was rebuilt: ssh-keygen -R '{spelling}' -f {self._files[0]}, then add its new key",
            )
        return HostError(
            Phase.HOST_KEY,
            "unknown",
            f"{spelling} presented {shown}, which no known_hosts file has",
            f"compare it on the box, then: ssh-keyscan -p {self._port} {self._name} >> {self._files[0]}",
        )
