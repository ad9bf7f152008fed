"""Users of this machine, created for a test and removed after it, each with its own key."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.box import Box
from tests.lab.process import wait_for

_SERIAL = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Account:
    """A user, its home, and the private key that logs in as it."""

    name: str
    uid: int
    home: Path
    key: Path

    def processes(self) -> list[str]:
        """Return the command lines of the processes that run as this user."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if entry.stat().st_uid == self.uid:
                        found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip())
                except OSError:
                    continue
        return found


@contextmanager
def account(
    box: Box, *, key_options: str = "", group_of_socket: bool = False, shell: str = "/bin/sh"
) -> Iterator[Account]:
    """A user that may log in to a box. ``group_of_socket`` adds it to a new group that owns the engine's socket."""
    name = f"fs{os.getpid()}x{next(_SERIAL)}"
    home = box.directory / f"home-{name}"
    with ExitStack() as undo:
        # Let the user traverse a directory that only root may enter.
        undo.callback(box.directory.parent.chmod, box.directory.parent.stat().st_mode & 0o7777)
        box.directory.parent.chmod(0o711)
        if group_of_socket:
            group = f"{name}g"
            edit(["groupadd", group])
            undo.callback(edit, ["groupdel", group])
            undo.callback(os.chown, box.socket, -1, box.socket.stat().st_gid)
            shutil.chown(box.socket, group=group)
        edit(["useradd", "-m", "-d", str(home), "-s", shell, *(["-G", group] if group_of_socket else []), name])
        made = Account(name, home.stat().st_uid, home, box.directory / f"key-{name}")
        undo.callback(edit, ["userdel", "-r", name])
        undo.callback(wait_for, lambda: not made.processes(), f"the processes of {name} ending")
        # useradd locks the account, and sshd refuses keys of a locked one.
        edit(["usermod", "-p", "*", name])
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(made.key)], check=True)
        (home / ".ssh").mkdir(mode=0o755)
        public = made.key.with_name(made.key.name + ".pub").read_text()
        (home / ".ssh" / "authorized_keys").write_text(f"{key_options} {public}".lstrip())
        with sshd_with(box, f"Match User {name}", f"AuthorizedKeysFile {home}/.ssh/authorized_keys", "Match all"):
            yield made


@contextmanager
def sshd_with(box: Box, *lines: str) -> Iterator[None]:
    """A box's sshd with more lines in its configuration."""
    before = box.sshd_lines
    _restart(box, [*before, *lines])
    try:
        yield
    finally:
        _restart(box, before)


def _restart(box: Box, lines: list[str]) -> None:
    box.stop_sshd()
    box.sshd_lines = lines
    box.start_sshd()


@contextmanager
def may_sudo(user: str, command: Sequence[str]) -> Iterator[None]:
    """Let a user run exactly one command as root, without a password."""
    path = Path(f"/etc/sudoers.d/fleetsweep-lab-{user}")
    escaped = " ".join(word.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,") for word in command)
    path.touch(mode=0o440)
    try:
        path.write_text(f"{user} ALL=(root) NOPASSWD: {escaped}\n")
        subprocess.run(["visudo", "-cqf", str(path)], check=True)
        yield
    finally:
        path.unlink()


def as_sudo_finds_it(program: str) -> str:
    """Return a program's path in Debian's secure_path. Raises FileNotFoundError."""
    found = shutil.which(program, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        raise FileNotFoundError(program)
    return found


def edit(command: list[str]) -> None:
    """Change the user database; retry while another process has it locked. Raises RuntimeError."""

    def done() -> bool:
        result = subprocess.run(command, check=False, capture_output=True, text=True)
        if result.returncode != 0 and "lock" not in result.stderr:
            # userdel also warns about a missing mail spool, but exits with 0.
            raise RuntimeError(f"{command}: {result.stderr}")
        return result.returncode == 0

    wait_for(done, " ".join(command))
