"""A box whose sshd has accounts and settings of its own: what is typed there changes nothing on this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from tests.lab.box import Box

_OWN: Final = r"""
set -e
mkdir -p "$0/own"
mount -t tmpfs none "$0/own"
mkdir "$0/own/etc" "$0/own/home" "$0/own/work"
# A copy: through an overlay, the locks of programs that edit this machine's accounts would show on the box.
# One of their files may vanish meanwhile.
cp -a /etc/. "$0/own/etc" || :
rm -f "$0"/own/etc/*.lock
mount --bind "$0/own/etc" /etc
mount -t overlay overlay -o "lowerdir=/home,upperdir=$0/own/home,workdir=$0/own/work" /home
mount -t tmpfs none /run
mkdir /run/sshd
exec "$@"
"""


class PrivateBox(Box):
    """A box in a mount namespace: copies of /etc and /home that last until its sshd ends, and an empty /run."""

    def __init__(self, name: str, directory: Path, client_key: Path) -> None:
        super().__init__(name, directory, client_key)
        self.sshd_lines = [f"AuthorizedKeysFile {client_key}.pub .ssh/authorized_keys"]

    def start_sshd(self) -> None:
        """Start sshd."""
        self.sshd_prefix = [
            *("unshare", "-m", "--propagation", "private", "sh", "-c", _OWN),
            str(self.directory),
        ]
        super().start_sshd()

    def start(self) -> None:
        """Bring both daemons up, with the engine's socket where Docker has it."""
        super().start()
        mounted = self.type(f"touch /run/docker.sock && mount --bind {self.socket} /run/docker.sock")
        if mounted.returncode:
            raise RuntimeError(mounted.stdout)

    def type(self, commands: str) -> subprocess.CompletedProcess[str]:
        """Run commands on the box, as root types them in a Bash; stdout has all that they print."""
        pid = (self.directory / "sshd.pid").read_text().strip()
        return subprocess.run(
            ["nsenter", "-t", pid, "-m", "--", "bash", "-euo", "pipefail", "-c", commands],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=120,
            cwd="/",
        )
