"""docs/container.md: the image is built and audits real boxes, read-only and without root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.compat.releases import chroot_of
from tests.lab import Lab
from tests.lab.process import remove_tree
from tests.pages.bare import PACKAGES, Pasted, pip_settings
from tests.pages.blocks import ROOT

BASE: Final = "docker.io/library/python:3.13-slim"
"""The base that the Containerfile names. No registry is asked for it: a Debian with Python gets its name."""

_WRAPPER: Final = """#!/bin/sh
# What this machine needs in addition to what the page shows: another runtime, limits, a directory of its own.
verb=$1; shift
case $verb in
    build) set -- --isolation chroot --network host --pull=never {limits} {settings} "$@" ;;
    run) set -- --network host {limits} "$@" ;;
esac
exec {podman} "$verb" "$@"
"""


@dataclass(frozen=True, slots=True)
class ContainerPage:
    """A directory with what the page asks for, and a Podman that works there."""

    directory: Path

    def paste(self, commands: str) -> Pasted:
        """Run the commands as they are on the page."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=600,
            cwd=self.directory,
            env={**os.environ, "PATH": f"{self.directory}/bin:{os.environ['PATH']}"},
        )
        return Pasted(done.returncode, done.stdout)


@contextmanager
def container_page(lab: Lab, dist: Path) -> Iterator[ContainerPage]:
    """Yield a directory to follow the page in. ``dist`` has the wheel. Raises CompatUnavailable."""
    place = lab.directory / "image"
    for name in ("bin", "ssh"):
        (place / name).mkdir(parents=True)
    shutil.copytree(dist, place / "dist")
    for name in ("Containerfile", "constraints.txt"):
        shutil.copy(ROOT / name, place)
    podman = [
        *(str(shutil.which("podman")), f"--root={place}/root", f"--runroot={place}/run"),
        *("--cgroup-manager=cgroupfs", "--events-backend=file", "--runtime=/usr/sbin/runc"),
    ]
    _write_wrapper(place / "bin" / "podman", podman)
    _write_fleet(place, lab)
    try:
        base = ["tar", "-C", str(chroot_of("trixie", PACKAGES, "trixie-bare")), "-c", "."]
        with subprocess.Popen(base, stdout=subprocess.PIPE) as tar:
            subprocess.run(
                [*podman, "import", "-q", "-", BASE], check=True, stdin=tar.stdout, stdout=subprocess.DEVNULL
            )
        yield ContainerPage(place)
    finally:
        subprocess.run([*podman, "rmi", "-a", "-f"], check=False, capture_output=True, timeout=60)
        remove_tree(place)


def _write_wrapper(path: Path, podman: list[str]) -> None:
    settings, folders = pip_settings()
    mounts = [f"-v {folder}:{folder}:ro" for folder in (*folders, "/etc/ssl/certs/ca-certificates.crt")]
    values = [f"--env '{key}={text}'" for key, text in settings.items()]
    limits = "--ulimit nofile=1024:1024 --ulimit nproc=1000:1000"
    path.write_text(_WRAPPER.format(podman=" ".join(podman), limits=limits, settings=" ".join([*mounts, *values])))
    path.chmod(0o755)


def _write_fleet(place: Path, lab: Lab) -> None:
    lines = [f"{box.name} ansible_host=127.0.0.1 ansible_port={box.port} ansible_user=root" for box in lab.boxes]
    (place / "inventory.ini").write_text("\n".join(lines) + "\n")
    shutil.copy(lab.known_hosts, place / "ssh")
    shutil.copy(lab.client_key, place / "ssh")
    os.chown(place / "ssh" / "id_ed25519", 10001, 10001)
