"""A real systemd as PID 1: in namespaces of its own, on a copy-on-write view of this machine's files.

What runs there sees this machine's programs and loopback, and leaves no account, unit or file behind.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.lab.process import wait_for

ROOT: Final = Path(__file__).parents[2]
TIMEOUT_S: Final = 90

_START: Final = r"""
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$1/b"
mkdir "$1/b/up" "$1/b/wk" "$1/b/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/b/up,workdir=$1/b/wk" "$1/b/root"
cd "$1/b/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/shm dev/pts dev/mqueue
mount -t tmpfs tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t mqueue mqueue dev/mqueue
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mkdir -p share source site .old
mount --bind "$1/share" share
mount --bind "$2" source
mount --bind "$3" site
mkdir -p opt/fleetsweep/bin
cp share/fleetsweep opt/fleetsweep/bin/fleetsweep
ln -s /opt/fleetsweep/bin/fleetsweep usr/local/sbin/fleetsweep
cp share/lab.target share/lab.service etc/systemd/system/
pivot_root . .old
umount -l .old
exec env -i container=fleetsweep-lab PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=lab.target --show-status=no --log-target=null
"""

_TARGET: Final = "[Unit]\nDescription=One script\nRequires=lab.service\nAfter=lab.service\n"
_SERVICE: Final = """[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
WorkingDirectory=/share
Environment=PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
ExecStart=/bin/sh -c '/bin/bash -ex /share/script; echo $? > /share/code'
StandardOutput=file:/share/output
StandardError=file:/share/output
ExecStopPost=/bin/systemctl --no-block exit 0
"""

# The machine's own Python: an account can't start one below /root.
_PROGRAM: Final = """#!/usr/bin/python3
import sys
sys.path[:0] = ["/source", "/site"]
from fleetsweep.__main__ import main
sys.exit(main())
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """The exit code of a script, all that it printed, and the files that it left in its working directory."""

    code: int
    output: str
    files: Mapping[str, str]


def run_under_systemd(script: str, files: Mapping[str, str]) -> Ended:
    """Run a bash script as root in a machine that systemd has booted, with these files in its working directory."""
    unified = Path("/sys/fs/cgroup/unified")
    top = unified if unified.is_dir() else Path("/sys/fs/cgroup")
    group = top / f"fs-pid1-{secrets.token_hex(4)}"
    group.mkdir()
    directory = Path(tempfile.mkdtemp(prefix="fsp-", dir="/tmp"))
    share = directory / "share"
    try:
        (directory / "b").mkdir()
        share.mkdir()
        for name, text in {
            **files,
            "script": script,
            "lab.target": _TARGET,
            "lab.service": _SERVICE,
            "fleetsweep": _PROGRAM,
        }.items():
            (share / name).write_text(text)
        (share / "fleetsweep").chmod(0o755)
        unshare = ["unshare", "-m", "-p", "-f", "--kill-child", "-u", "-i", "-C"]
        start = ["bash", "-c", _START, "start", str(directory), str(ROOT), sysconfig.get_path("purelib")]
        joined = ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh", *unshare, *start]
        done = subprocess.run(
            joined, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S
        )
        code = share / "code"
        if not code.exists():
            output = share / "output"
            raise RuntimeError(f"{done.stderr}{output.read_text() if output.exists() else ''}")
        left = {path.name: path.read_text() for path in share.iterdir() if path.is_file()}
        return Ended(int(left["code"]), left["output"], left)
    finally:
        wait_for(lambda: _removed(group), f"{group} being empty")
        shutil.rmtree(directory)


def _removed(group: Path) -> bool:
    """Remove a control group and those below it; return whether no process was left in them."""
    try:
        for inner in sorted(group.rglob("*"), key=lambda path: len(path.parts), reverse=True):
            if inner.is_dir():
                inner.rmdir()
        group.rmdir()
    except OSError:
        return False
    return True
