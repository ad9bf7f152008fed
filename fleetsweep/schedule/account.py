"""Find out, before a schedule is installed, what its account can't start, read or write."""

from __future__ import annotations

import errno
import os
import pwd
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TIMEOUT_S: Final = 10.0
_DEFAULT_KEYS: Final = ("id_rsa", "id_ecdsa", "id_ed25519")
_CAN_READ: Final = '[ -r "$1" ] && { [ ! -d "$1" ] || [ -x "$1" ]; }'
_CAN_ENTER: Final = '[ -x "$1" ]'
_CAN_WRITE: Final = '[ -w "$1" ]'


@dataclass(frozen=True, slots=True)
class Needs:
    """What a scheduled run needs: a program to start, paths to read, directories to write to.

    ``default_keys`` and ``default_known_hosts`` are whether it relies on those below the account's home.
    """

    program: tuple[str, ...]
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    default_keys: bool = False
    default_known_hosts: bool = False


def account_problems(user: str, needs: Needs) -> tuple[str, ...]:
    """Return what the account lacks, each with a remedy. Empty where another account's rights can't be tried out."""
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        return (f"there is no account {user} yet: create it, then run this again to check what it can read",)
    if os.geteuid() not in {0, account.pw_uid}:
        return ()
    found = []
    if reason := _start(needs.program, account):
        found.append(
            f"{user} can't start {needs.program[0]}: {reason}: install fleetsweep where it can, such as in a virtual "
            "environment in /opt made with the system's Python"
        )
    for path in dict.fromkeys(needs.reads):
        if not os.path.lexists(path):
            found.append(f"{path} is missing")
        elif not _may(account, _CAN_READ, path):
            found.append(f"{user} can't read {path}{_closed(account, path)}: move it, or give {user} the right")
    for path in dict.fromkeys(needs.writes):
        if not Path(path).is_dir():
            found.append(f"{path} is not a directory: create it, and let {user} write there")
        elif not _may(account, _CAN_WRITE, path):
            found.append(f"{user} can't write to {path}{_closed(account, path)}: install -d -m 1775 -g {user} {path}")
    return (*found, *_ssh_problems(user, account, needs))


def _ssh_problems(user: str, account: pwd.struct_passwd, needs: Needs) -> list[str]:
    ssh = Path(account.pw_dir) / ".ssh"
    found: list[str] = []
    if _may(account, _CAN_READ, str(ssh / "config")):
        # It may name other files.
        return found
    if needs.default_keys and not any(_may(account, _CAN_READ, str(ssh / name)) for name in _DEFAULT_KEYS):
        found.append(f"{user} has no SSH key: put one into {ssh / 'id_ed25519'}, or give --private-key")
    files = (str(ssh / "known_hosts"), "/etc/ssh/ssh_known_hosts")
    if needs.default_known_hosts and not any(_may(account, _CAN_READ, path) for path in files):
        found.append(
            f"{user} knows no host keys: fill {files[0]} or {files[1]} (fleetsweep doctor --learn-keys), or give "
            "--known-hosts"
        )
    return found


def _start(program: Sequence[str], account: pwd.struct_passwd) -> str:
    """Start the program as the account; return why it does not start, or an empty string."""
    try:
        code, output = _run(account, [*program, "--version"])
    except OSError as error:
        reason = error.strerror or type(error).__name__
    else:
        if code == 0:
            return ""
        lines = output.strip().splitlines()
        reason = lines[-1][:200] if lines else f"exit code {code}"
    places = (program[0], sys.executable, sys.prefix, sys.base_prefix)
    return next((f"{reason}{closed}" for place in places if (closed := _closed(account, place))), reason)


def _closed(account: pwd.struct_passwd, path: str) -> str:
    """Return which directory above a path is closed to the account, or an empty string."""
    for place in (Path(path), Path(os.path.realpath(path))):
        for directory in reversed(place.parents):
            if directory.is_dir() and not _may(account, _CAN_ENTER, str(directory)):
                return f" ({directory} is closed to it)"
    return ""


def _may(account: pwd.struct_passwd, test: str, path: str) -> bool:
    """Try as the account, since modes, groups, ACLs and mounts decide together."""
    try:
        return _run(account, ["/bin/sh", "-c", test, "sh", path])[0] == 0
    except OSError:
        return False


def _run(account: pwd.struct_passwd, command: Sequence[str]) -> tuple[int, str]:
    """Run a command as the account; return its exit code and output. Raises OSError, also where it takes too long."""
    import subprocess

    other = os.geteuid() != account.pw_uid
    try:
        done = subprocess.run(  # noqa: S603 - this program itself, or a fixed shell command
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "HOME": account.pw_dir},
            user=account.pw_uid if other else None,
            group=account.pw_gid if other else None,
            extra_groups=os.getgrouplist(account.pw_name, account.pw_gid) if other else None,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(errno.ETIMEDOUT, f"no response within {TIMEOUT_S:g} s") from error
    return done.returncode, done.stdout.decode(errors="replace")
