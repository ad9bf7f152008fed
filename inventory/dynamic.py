#!/usr/bin/env python3
"""The fleet of small/ from a script. A real script would query a cloud, a CMDB or a CI server.

    fleetsweep hosts -i inventory/dynamic.py

It must be executable (chmod +x). fleetsweep runs it with --list, as Ansible does, and takes the hosts' variables from
_meta. A script without _meta in its output is run again with --host NAME for each host, which is slow.
"""

import json
import sys


def fetch() -> dict[str, dict[str, object]]:
    """Return the boxes and the variables of each. Put your own query here."""
    linux: dict[str, dict[str, object]] = {f"runner-{number:02}.example.com": {} for number in range(1, 4)}
    return linux | {"arm-1.example.com": {"ansible_port": 2222}}


def inventory() -> dict[str, object]:
    """Return what Ansible expects from --list."""
    boxes = fetch()
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
        json.dump(fetch().get(sys.argv[2], {}), sys.stdout)
    else:
        sys.exit("usage: dynamic.py --list | --host NAME")
