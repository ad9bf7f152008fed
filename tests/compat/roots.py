"""Where a release's programs run: this machine, or a chroot with a root and mounts of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.compat.releases import chroot_of
from tests.lab.process import remove_tree, wait_for

OWN = "this machine"

_OWN_ROOT = """
set -e
mount --bind "$0" "$0"; cd "$0"; mkdir -p .old; pivot_root . .old
for each in proc sys dev; do mount --rbind /.old/$each /$each; done
umount -l /.old
mount -t tmpfs none /run; mkdir -p /run/sshd
echo ready
exec sleep infinity
"""
"""A plain chroot can't unpack images: an engine remounts its root."""


@dataclass(frozen=True, slots=True)
class Root:
    """A release's programs. ``work`` is a directory for their files, and ``inside`` is what they call it.

    ``work``'s path is short, so that a Unix socket in it can be connected to.
    """

    release: str
    work: Path
    inside: Path
    keeper: int | None

    def command(self, *words: str) -> list[str]:
        """Return the command that runs ``words`` in this root."""
        return [*words] if self.keeper is None else ["nsenter", "-t", str(self.keeper), "-m", "--", *words]

    def output(self, *words: str, stdin: bytes | None = None) -> str:
        """Run a command to its end and return what it prints, on stderr too. Raises CalledProcessError."""
        # A file: a container's monitor keeps its descriptors, and a pipe's reader would wait for that.
        with tempfile.TemporaryFile() as printed:
            done = subprocess.run(
                self.command(*words), input=stdin, check=False, stdout=printed, stderr=subprocess.STDOUT, timeout=60
            )
            printed.seek(0)
            text = printed.read().decode(errors="replace").strip()
        if done.returncode != 0:
            raise subprocess.CalledProcessError(done.returncode, words, text)
        return text

    def end_leftovers(self) -> None:
        """Kill what still runs among this root's mounts, or names its directory: shims and monitors of containers."""
        for pid in _processes(self.keeper, self.inside):
            if pid != self.keeper:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _processes(keeper: int | None, inside: Path) -> list[int]:
    mounts = str(Path(f"/proc/{keeper}/ns/mnt").readlink()) if keeper is not None else ""
    needle = f"{inside}/".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                same = str((entry / "ns/mnt").readlink()) == mounts
                if same or (keeper is None and needle in (entry / "cmdline").read_bytes()):
                    found.append(int(entry.name))
    return found


@contextmanager
def open_root(release: str) -> Iterator[Root]:
    """Yield a release's root, and remove what was made in it. Raises CompatUnavailable."""
    short = Path(tempfile.mkdtemp(prefix="fsc-", dir="/tmp"))
    if release == OWN:
        root = Root(release, short, short, None)
        try:
            yield root
        finally:
            root.end_leftovers()
            remove_tree(short)
        return
    directory = chroot_of(release)
    inside = Path("/compat")
    shutil.rmtree(directory / "compat", ignore_errors=True)
    (directory / "compat").mkdir()
    (short / "c").symlink_to(directory / "compat")
    words = ["unshare", "-m", "--propagation", "private", "bash", "-c", _OWN_ROOT, str(directory)]
    keeper = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert keeper.stdout is not None
        if keeper.stdout.readline() != b"ready\n":
            raise RuntimeError(f"the root of {release} could not be made")
        root = Root(release, short / "c", inside, keeper.pid)
        try:
            yield root
        finally:
            root.end_leftovers()
            wait_for(lambda: _processes(keeper.pid, inside) == [keeper.pid], f"the processes of {release} ending")
    finally:
        keeper.kill()
        keeper.wait()
        if keeper.stdout is not None:
            keeper.stdout.close()
        shutil.rmtree(directory / "compat", ignore_errors=True)
        shutil.rmtree(short, ignore_errors=True)
