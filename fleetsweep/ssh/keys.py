"""Which key is offered to a host, and whether the key it presents is the one that is known."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import paramiko

from fleetsweep.errors import HostError, Phase
from fleetsweep.ssh.known_hosts import KnownHosts, Standing, fingerprint, lookup_name, parse

USUAL_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts")


@lru_cache(maxsize=64)
def read_known_hosts(files: tuple[str, ...]) -> KnownHosts:
    """The entries of ``files``; one that isn't there has none. Read once a run.

    Raises HostError when a file is there and can't be read: skipping it could skip a revocation.
    """
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


@lru_cache(maxsize=64)
def load_private_key(name: str) -> paramiko.PKey:
    """The private key in a file, with the certificate beside it if there is one. Read once a run.

    Raises HostError before any connection is made with it.
    """
    path = Path(name).expanduser()
    try:
        key = paramiko.PKey.from_path(path)
        certificate = path.with_name(path.name + "-cert.pub")
        if certificate.is_file():
            key.load_certificate(str(certificate))
    except FileNotFoundError:
        raise _key_error(path, "is not there", "check the name of the key file") from None
    except OSError as error:
        raise _key_error(path, f"can't be read: {error.strerror}", f"make {path} readable to you") from error
    except (paramiko.PasswordRequiredException, TypeError):
        raise _key_error(path, "is encrypted", f"ssh-add {path}, and name no key file") from None
    except (paramiko.SSHException, ValueError, UnicodeError) as error:
        raise _key_error(path, f"is not a usable private key: {error}", "name the private key") from error
    return key


def _key_error(path: Path, what: str, remedy: str) -> HostError:
    return HostError(Phase.AUTH, "key-file", f"key file {path} {what}", remedy)


class StrictPolicy(paramiko.MissingHostKeyPolicy):
    """Accepts a host key only if known_hosts has it. ``verified`` tells that it did."""

    def __init__(self, known: KnownHosts, files: Iterable[str], name: str, port: int) -> None:
        self._known = known
        self._files = tuple(files)
        self._name = name
        self._port = port
        self.verified = False

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Raise HostError unless the key is known. paramiko calls this before it authenticates."""
        standing, entries = self._known.stand(self._name, self._port, key.get_name(), key.asbytes())
        if standing is Standing.KNOWN:
            self.verified = True
            return
        shown = f"{key.get_name()} {fingerprint(key.asbytes())}"
        spelling = lookup_name(self._name, self._port)
        if standing is Standing.REVOKED:
            raise HostError(
                Phase.HOST_KEY,
                "revoked",
                f"{spelling} presented {shown}, which {entries[0].where} revokes",
                "give the box a new host key, and find out who has the old one",
            )
        if standing is Standing.CHANGED:
            known = ", ".join(f"{entry.key_type} {fingerprint(entry.key)} ({entry.where})" for entry in entries[:3])
            raise HostError(
                Phase.HOST_KEY,
                "changed",
                f"{spelling} presented {shown}, known is {known}",
                f"if the box was rebuilt: ssh-keygen -R '{spelling}' -f {self._files[0]}, then add its new key",
            )
        raise HostError(
            Phase.HOST_KEY,
            "unknown",
            f"{spelling} presented {shown}, which no known_hosts file has",
            f"compare it on the box, then: ssh-keyscan -p {self._port} {self._name} >> {self._files[0]}",
        )
