"""``python -m tests.lab.leak_check``: a survey inside a process that goes on, and what it leaves behind there.

The command line exits whatever still runs, which would hide a leaked thread, descriptor or child.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from pathlib import Path

from fleetsweep.inventory import load
from fleetsweep.model.survey import FailedSurvey
from fleetsweep.policy.rules import Policy
from fleetsweep.ssh import SshOptions
from fleetsweep.sweep import phases as sweep
from fleetsweep.sweep.workers import Limits
from tests.lab.sshd_fleet import children


def main() -> None:
    """Survey an inventory; print each host's status, phase, kind and remedy, and the leaks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-i", dest="inventory")
    parser.add_argument("--known-hosts")
    parser.add_argument("--ssh-config")
    parser.add_argument("--state-dir")
    parser.add_argument("--timeout", type=float)
    parser.add_argument("--host-timeout", type=float)
    arguments = parser.parse_args()
    hosts = load((arguments.inventory,), cwd=Path.cwd()).select(())
    ssh = SshOptions(timeout_s=arguments.timeout, ssh_config=arguments.ssh_config, known_hosts=(arguments.known_hosts,))
    reach = sweep.ConnectConfig(ssh, Limits(256, arguments.host_timeout, 600))
    policies = {host.name: Policy() for host in hosts}
    before = _held()
    began = time.monotonic()
    with sweep.open_bastions(hosts, reach) as ready:
        surveys = sweep.survey(hosts, policies, ready)
    took = time.monotonic() - began
    at_once = _left(before)
    ends = time.monotonic() + 30
    while _left(before) and time.monotonic() < ends:
        time.sleep(0.02)
    rows = {
        item.host.name: {
            "status": item.fault.status.value,
            "phase": item.fault.phase.value if item.fault.phase else None,
            "kind": item.fault.kind,
            "message": item.fault.message,
            "remedy": item.fault.remedy,
            "took": item.duration_s,
        }
        if isinstance(item, FailedSurvey)
        else {"status": "ok", "phase": None, "kind": None, "remedy": None, "took": item.duration_s}
        for item in surveys
    }
    json.dump({"rows": rows, "took_s": took, "at_once": at_once, "left": _left(before)}, sys.stdout)


def _held() -> set[str]:
    """Return descriptions of this process's threads, descriptors and children."""
    threads = {f"thread {thread.name} {thread.ident}" for thread in threading.enumerate()}
    descriptors = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            descriptors.add(f"descriptor {entry.name} {entry.readlink()}")
        except OSError:  # the listing's own
            continue
    return threads | descriptors | {f"child {pid}" for pid in children(os.getpid())}


def _left(before: set[str]) -> list[str]:
    return sorted(_held() - before)


if __name__ == "__main__":
    main()
