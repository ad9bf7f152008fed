"""A bare Debian: a fresh overlay over a chroot that has Python, apt and nothing else."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.compat.releases import chroot_of

PACKAGES: Final = ("python3", "python3-venv", "ca-certificates")
LIMIT_S: Final = 300.0
QUESTION: Final = "[y/N]"

_FRESH: Final = """
set -e
mount -t tmpfs none "$1"
mkdir "$1/up" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=$0,upperdir=$1/up,workdir=$1/work" "$1/root"
for each in proc sys dev; do mount --rbind "/$each" "$1/root/$each"; done
shift
root=$1; shift
for each in "$@"; do mkdir -p "$root$each"; mount --rbind "$each" "$root$each"; done
echo ready
exec sleep infinity
"""


@dataclass(frozen=True, slots=True)
class Pasted:
    """What a block of commands printed, and its exit code."""

    code: int
    printed: str


class Bare:
    """One fresh system. ``root`` is its directory, which only its own mount namespace shows filled."""

    def __init__(self, keeper: int, root: Path, environment: Mapping[str, str]) -> None:
        self._keeper = keeper
        self.root = root
        self._environment = dict(environment)

    def paste(self, commands: str, *, answer: str = "y", where: str = "/root") -> Pasted:
        """Run the commands in a Bash with a terminal, as its user would, and answer each question."""
        home = ["env", "-i", "HOME=/root", "TERM=xterm", "LANG=C.UTF-8", "USER=root"]
        path = "PATH=/root/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        inside = [
            "chroot",
            str(self.root),
            *home,
            path,
            *(f"{name}={text}" for name, text in self._environment.items()),
        ]
        script = ["bash", "-euo", "pipefail", "-c", f"cd {where}\n{commands}"]
        master, slave = pty.openpty()
        child = subprocess.Popen(
            ["nsenter", "-t", str(self._keeper), "-m", "--", *inside, *script],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        timer = threading.Timer(LIMIT_S, child.kill)
        timer.start()
        try:
            printed = _conversation(master, answer)
            return Pasted(child.wait(), printed)
        finally:
            timer.cancel()
            os.close(master)

    def write(self, path: str, text: str, mode: int = 0o600) -> None:
        """Write a file into the system."""
        words = ["nsenter", "-t", str(self._keeper), "-m", "--", "sh", "-c"]
        script = f'umask 077; mkdir -p "$(dirname "$0")"; cat > "$0"; chmod {mode:o} "$0"'
        subprocess.run([*words, script, f"{self.root}{path}"], input=text, text=True, check=True)

    def copy(self, source: Path, target: str) -> None:
        """Copy a file or a directory into the system."""
        words = ["nsenter", "-t", str(self._keeper), "-m", "--", "cp", "-r", str(source), f"{self.root}{target}"]
        subprocess.run(words, check=True)


def _conversation(master: int, answer: str) -> str:
    """Return what is printed until the terminal is closed; each question is answered once it is asked."""
    printed = ""
    answered = 0
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            return printed.replace("\r\n", "\n")
        if not data:
            return printed.replace("\r\n", "\n")
        printed += data.decode(errors="replace")
        if printed.count(QUESTION) > answered:
            answered = printed.count(QUESTION)
            os.write(master, f"{answer}\n".encode())


@contextmanager
def bare(release: str) -> Iterator[Bare]:
    """Yield a fresh system of a Debian release, and discard it. Raises CompatUnavailable."""
    chroot = chroot_of(release, PACKAGES, f"{release}-bare")
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", chroot / "etc/ssl/certs/ca-certificates.crt")
    shutil.copy("/etc/resolv.conf", chroot / "etc/resolv.conf")
    shutil.copy("/etc/hosts", chroot / "etc/hosts")
    settings, folders = pip_settings()
    place = Path(tempfile.mkdtemp(prefix="fsb-", dir="/tmp"))
    words = ["unshare", "-m", "--propagation", "private", "bash", "-c", _FRESH, str(chroot), str(place)]
    keeper = subprocess.Popen([*words, str(place / "root"), *folders], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert keeper.stdout is not None
        if keeper.stdout.readline() != b"ready\n":
            raise RuntimeError(f"no fresh {release} could be made")
        yield Bare(keeper.pid, place / "root", settings)
    finally:
        keeper.kill()
        keeper.wait()
        if keeper.stdout is not None:
            keeper.stdout.close()
        for _ in range(50):
            # The mounts end with the namespace, a moment after its last process.
            try:
                place.rmdir()
                break
            except OSError:
                time.sleep(0.1)


def pip_settings() -> tuple[dict[str, str], list[str]]:
    """Return this machine's settings of pip as environment variables, and the local directories that they name."""
    done = subprocess.run(
        ["python3", "-m", "pip", "config", "list"], check=True, capture_output=True, text=True, cwd="/"
    )
    found: dict[str, str] = {}
    for name, text in re.findall(r"^(?::env:|global)\.([\w.-]+)='(.*)'$", done.stdout, re.MULTILINE):
        found[f"PIP_{name.strip('.').replace('-', '_').upper()}"] = text
    found.pop("PIP_CONSTRAINT", None)
    # Beside an index's pages are its files.
    folders = [
        path.removesuffix("/simple") for text in found.values() for path in re.findall(r"(?:file://|^)(/\S+)", text)
    ]
    if "PIP_INDEX_URL" in found:
        found["UV_DEFAULT_INDEX"] = found["PIP_INDEX_URL"]
    return {**found, "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt"}, sorted(
        {path for path in folders if Path(path).is_dir()}
    )
