"""docs/ci.md: a job's steps, pasted on a machine whose Docker is a box's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.lab import Box
from tests.pages.bare import Pasted

IN_ITS_OWN_RUN: Final = 'mount -t tmpfs none /run && mkdir /run/sshd && ln -s "$0" /run/docker.sock && exec "$@"'
"""A script for sh: run a command that sees a socket at /run/docker.sock, in a mount namespace of its own."""


def with_usual_socket(box: Box) -> list[str]:
    """Return the words before a command that is to see the box's engine at /var/run/docker.sock."""
    return ["unshare", "-m", "--propagation", "private", "sh", "-c", IN_ITS_OWN_RUN, str(box.socket)]


def paste_in_job(box: Box, directory: Path, commands: str) -> Pasted:
    """Run the commands as a CI job's step on the box, in a directory."""
    found = subprocess.run(
        [*with_usual_socket(box), "bash", "-euo", "pipefail", "-c", commands],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=120,
        cwd=directory,
        env={
            "HOME": str(directory),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "GITHUB_RUN_ID": "4711",
            "GITHUB_RUN_ATTEMPT": "1",
            "RUN": "4711-1",
        },
    )
    return Pasted(found.returncode, found.stdout)
