"""``python -m tests.lab up|down|install``: a fleet to play with, and the packages it needs."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.lab.incident import seed
from tests.lab.lab import AXE, AXE_PROJECT, BROWSER_PACKAGES, PACKAGES, TEST_PACKAGES, Lab, LabUnavailable, missing

PID_FILE = Path("/tmp/fleetsweep-lab.pid")


def install(for_tests: bool) -> None:
    """Install missing packages, with apt where possible. Starts no system service."""
    if for_tests:
        _install_axe()
    if not missing(for_tests=for_tests):
        return
    # Apart from each other: where one can't be installed, apt-get installs none. An npm that is there may be another
    # distributor's, which conflicts with the package.
    groups: list[tuple[str, ...]] = [(*PACKAGES, *TEST_PACKAGES) if for_tests else PACKAGES]
    if for_tests:
        groups += [(package,) for package in BROWSER_PACKAGES if not shutil.which(package)]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        # Keep apt from starting the packages' services, which the lab does not use.
        guard = Path("/usr/sbin/policy-rc.d")
        ours = not guard.exists()
        if ours:
            guard.write_text("#!/bin/sh\nexit 101\n")
            guard.chmod(0o755)
        try:
            subprocess.run(["apt-get", "update", "-qq"], check=False, env=environment)
            for packages in groups:
                subprocess.run(
                    ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
                    check=False,
                    env=environment,
                    stdout=subprocess.DEVNULL,
                )
        finally:
            if ours:
                guard.unlink()
    if for_tests:
        _install_axe()
    if lacking := missing(for_tests=for_tests):
        sys.exit("the lab needs " + ", ".join(lacking))


def _install_axe() -> None:
    if not AXE.exists() and shutil.which("npm"):
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent", "--prefix", AXE_PROJECT], check=False)


def up(count: int, with_incident: bool) -> None:
    """Keep a fleet up in the foreground until SIGINT or SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with Lab(count) as lab:
        if with_incident:
            seed(lab.boxes)
        PID_FILE.write_text(str(os.getpid()))
        print(f"{count} boxes are up. Try:\n\n  fleetsweep audit {' '.join(lab.options())}\n")
        print("Ctrl-C, or 'python -m tests.lab down', ends them.", flush=True)
        ended.wait()
    PID_FILE.unlink(missing_ok=True)


def down() -> None:
    """End the fleet that ``up`` keeps."""
    if not PID_FILE.exists():
        sys.exit("no lab is up")
    pid = int(PID_FILE.read_text())
    if b"tests.lab" not in Path(f"/proc/{pid}/cmdline").read_bytes():
        sys.exit(f"process {pid} is not a lab: remove {PID_FILE}")
    os.kill(pid, signal.SIGTERM)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up", help="keep a fleet up until Ctrl-C")
    start.add_argument("-n", type=int, default=3, help="boxes")
    start.add_argument("--incident", action="store_true", help="seed three boxes like the incident")
    commands.add_parser("down", help="end the fleet that is up")
    setup = commands.add_parser("install", help="install what the lab needs")
    setup.add_argument("--tests", action="store_true", help="and what some tests need in addition")
    arguments = parser.parse_args()
    try:
        if arguments.command == "up":
            up(3 if arguments.incident else arguments.n, arguments.incident)
        elif arguments.command == "down":
            down()
        else:
            install(arguments.tests)
    except LabUnavailable as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
