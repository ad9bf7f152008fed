#!/usr/bin/env python3
"""The fleet of small/ from a script, as one would ask a cloud, a CMDB or a CI server for it.

    fleetsweep hosts -i inventory/dynamic.py

It must be executable (chmod +x). fleetsweep runs it with --list, as Ansible does, and takes the hosts' variables from
_meta. A script that leaves _meta out is run with --host NAME once for each host, which is slow: put it in.
"""

import json
import sys


def ask() -> dict[str, dict[str, object]]:
    """The boxes and what is special about each. Put your own question here."""
    linux: dict[str, dict[str, object]] = {f"runner-{number:02}.example.com": {} for number in range(1, 4)}
    return linux | {"arm-1.example.com": {"ansible_port": 2222}}


def inventory() -> dict[str, object]:
    """What Ansible expects of --list."""
    boxes = ask()
    return {
        "linux": {"hosts": [name for name in boxes if name.startswith("runner-")]},
        "arm": {
            "hosts": [name for name in boxes if name.startswith("arm-")],
            "vars": {"fleetsweep_max_age": "4h", "fleetsweep_cap": 20},
        },
        "runners": {"children": ["linux", "arm"], "vars": {"ansible_user": "ci", "fleetsweep_max_age": "2h"}},
        "_meta": {"hostvars": boxes},
    }


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        json.dump(inventory(), sys.stdout, indent=2)
    elif sys.argv[1:2] == ["--host"] and len(sys.argv) == 3:
        json.dump(ask().get(sys.argv[2], {}), sys.stdout)
    else:
        sys.exit("usage: dynamic.py --list | --host NAME")
