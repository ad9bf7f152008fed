"""Debian releases beside this machine's own, each in a chroot that debootstrap makes in a cache folder.

The mirror and apt's settings are those of this machine's own apt when the chroot is made.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

CACHE: Final = Path(__file__).parents[2] / ".compat"
"""Git ignores it. A release's folder can be deleted to have it made anew."""

PACKAGES: Final = (
    *("docker.io", "docker-cli", "podman", "runc", "crun", "iptables"),
    *("openssh-server", "dropbear-bin", "busybox-static"),
)

_INDEX_SETTINGS: Final = ("IndexTargets", "CompressionTypes", "GzipIndexes", "Languages", "Changelogs", "cdrom")
"""What ``Acquire`` holds of indexes and not of how to reach the mirror."""


class CompatUnavailable(RuntimeError):
    """This machine can't make a chroot; the message names the step that failed."""


def chroot_of(release: str, packages: tuple[str, ...] = PACKAGES, name: str = "") -> Path:
    """Return a release's chroot with these packages, made now if the cache has none that is complete.

    ``name`` is its name in the cache, the release's if empty. Raises CompatUnavailable.
    """
    root, complete = CACHE / (name or release), CACHE / f"{name or release}.complete"
    if complete.exists() and complete.read_text().split() == list(packages):
        return root
    print(f"making a chroot of {release} in {CACHE}: about a minute", file=sys.stderr, flush=True)
    CACHE.mkdir(exist_ok=True)
    complete.unlink(missing_ok=True)
    shutil.rmtree(root, ignore_errors=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", **_proxies()}
    if shutil.which("debootstrap") is None:
        _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "debootstrap"], environment)
    strap = ["debootstrap", "--variant=minbase", "--include=ca-certificates", release, str(root), _mirror()]
    _run(strap, environment)
    (root / "etc/apt/apt.conf.d/99machine").write_text(_acquire_settings())
    # Nothing of a package is started: the checks start what they need.
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    _run(["chroot", str(root), "apt-get", "update", "-qq"], environment)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    _run(["chroot", str(root), *install], environment)
    complete.write_text("\n".join(packages))
    return root


def _mirror() -> str:
    """Return the address from which this machine's apt takes Debian itself. Raises CompatUnavailable."""
    form = "$(CREATED_BY) $(LABEL) $(REPO_URI)"
    done = subprocess.run(["apt-get", "indextargets", "--format", form], check=False, capture_output=True, text=True)
    found = [line.split()[2] for line in done.stdout.splitlines() if line.startswith("Packages Debian ")]
    if not found:
        raise CompatUnavailable("apt names no mirror of Debian: check apt-get indextargets")
    return found[0]


def _acquire_settings() -> str:
    """Return apt's settings of this machine for reaching its mirror, in apt.conf's format."""
    done = subprocess.run(["apt-config", "dump"], check=True, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("Acquire::")]
    return "".join(f"{line}\n" for line in lines if line.split("::")[1].split(" ")[0] not in _INDEX_SETTINGS)


def _proxies() -> dict[str, str]:
    """Return apt's proxies as debootstrap's wget reads them."""
    names = {"http_proxy": "Acquire::http::Proxy", "https_proxy": "Acquire::https::Proxy"}
    found = {}
    for variable, setting in names.items():
        done = subprocess.run(["apt-config", "shell", "VALUE", setting], check=True, capture_output=True, text=True)
        value = done.stdout.strip().removeprefix("VALUE=").strip("'\"")
        if value and value != "DIRECT":
            found[variable] = value
    return found


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        words = " ".join(command[:3])
        raise CompatUnavailable(f"{words} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")
