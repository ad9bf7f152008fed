"""Save host keys that an operator has accepted: all of a file's at once, or none."""

from __future__ import annotations

import base64
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from fleetsweep.errors import HostError
from fleetsweep.model.host_key import UnknownKey
from fleetsweep.runtime.files import write
from fleetsweep.ssh.host_keys import open_locked, read_fresh
from fleetsweep.ssh.known_hosts import KeyStatus, KnownHosts
from fleetsweep.ssh.regular_file import KNOWN_HOSTS_LIMIT, read_regular


def save_keys(keys: Sequence[UnknownKey]) -> tuple[str, ...]:
    """Add the keys to their known_hosts files, each of which is replaced as a whole. Return what went wrong.

    A key is saved only if its machine is still unknown: another process may have saved one meanwhile.
    """
    by_file: dict[str, list[UnknownKey]] = defaultdict(list)
    for key in keys:
        if key.save_to is not None:
            by_file[key.save_to].append(key)
    problems: list[str] = []
    for name, group in by_file.items():
        try:
            problems += _add(Path(name), group)
        except HostError as error:
            problems.append(f"{error.message}: no key was saved to {name}")
        except OSError as error:
            problems.append(f"{name}: {error.strerror}: no key was saved")
    return tuple(problems)


def _add(path: Path, keys: Sequence[UnknownKey]) -> list[str]:
    """Add the keys to one file under its lock; return what went wrong. Raises OSError or HostError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = open_locked(path)
    try:
        lines: dict[str, None] = {}
        problems = []
        known = {files: read_fresh(files) for files in {key.files for key in keys}}
        for key in keys:
            status = _status(known[key.files], key)
            if status is KeyStatus.UNKNOWN:
                lines[f"{key.name} {key.key_type} {base64.b64encode(key.key).decode()}\n"] = None
            elif status is not KeyStatus.KNOWN:
                problems.append(f"{key.name}: another key was saved or revoked meanwhile: its key was not saved")
        if lines:
            before = read_regular(path, KNOWN_HOSTS_LIMIT)
            # A last line without a line break would swallow the new one.
            gap = b"" if not before or before.endswith(b"\n") else b"\n"
            write(path, before + gap + "".join(lines).encode())
    finally:
        os.close(descriptor)
    return problems


def _status(known: KnownHosts, key: UnknownKey) -> KeyStatus:
    name, port = _name_and_port(key.name)
    if known.authorities(name, port):
        return KeyStatus.CHANGED
    return known.status_of(name, port, key.key_type, key.key)[0]


def _name_and_port(name: str) -> tuple[str, int]:
    """Return the parts of ``[name]:port``."""
    if not name.startswith("["):
        return name, 22
    host, _, port = name[1:].rpartition("]:")
    return host, int(port)
