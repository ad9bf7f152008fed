#!/usr/bin/python
"""Run ``fleetsweep sweep`` once for a whole fleet, with Ansible's check mode and diff mode."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleetsweep_sweep
short_description: Remove leaked CI containers from a fleet of runner boxes
version_added: 0.1.0
description:
  - Runs C(fleetsweep sweep --yes) once for all selected hosts, on the host of the task, which should be the controller.
  - In check mode it runs C(fleetsweep sweep --dry-run), which sends only GET requests.
  - Which containers are stale, and which guards stop a removal, is decided by fleetsweep alone.
  - The task fails with every exit code of fleetsweep but 0. The results are returned then, too.
options:
  inventory:
    description: Ansible inventories, as for C(-i). Without one, fleetsweep uses its own default.
    type: list
    elements: str
    default: []
  limit:
    description: Patterns that select hosts, as for C(--limit).
    type: list
    elements: str
    default: []
  hosts:
    description: Hosts by their exact names, or C([user@]address[:port]) without an inventory, as for C(--host).
    type: list
    elements: str
    default: []
  local:
    description: Sweep the engine of the task's own host, without SSH.
    type: bool
    default: false
  expect:
    description: Refuse to run unless this many hosts are selected, as V(40) or V(38..40).
    type: str
  max_age:
    description: A container older than this is stale, such as V(4h).
    type: str
  cap:
    description: Remove nothing from a host with more candidates than this; V(none) for no cap.
    type: str
  fleet_cap:
    description: Remove nothing anywhere with more candidates than this, a count or a share such as V(20%).
    type: str
  volumes:
    description: Also remove the containers' anonymous volumes.
    type: bool
    default: false
  arguments:
    description: Further options of C(fleetsweep sweep), a word each, such as V(--state-dir=/srv/fleetsweep).
    type: list
    elements: str
    default: []
  executable:
    description: The program, by its path or its name on the PATH.
    type: str
    default: fleetsweep
attributes:
  check_mode:
    description: Decides and reports as a sweep does, and removes nothing.
    support: full
  diff_mode:
    description: Shows the stale containers before and after.
    support: full
author:
  - The fleetsweep authors (@fleetsweep)
"""

EXAMPLES = r"""
- name: Sweep the runners
  fleetsweep.runners.fleetsweep_sweep:
    inventory: [/etc/fleetsweep/inventory.yml]
    limit: [runners]
    max_age: 4h
  delegate_to: localhost
  run_once: true
  register: swept

- name: Go on where only some runners could not be reached
  fleetsweep.runners.fleetsweep_sweep:
    inventory: [/etc/fleetsweep/inventory.yml]
  register: swept
  failed_when: swept.rc not in [0, 3]
"""

RETURN = r"""
removed:
  description: The containers that were removed. In check mode, those that would be.
  returned: always
  type: list
  elements: dict
  contains:
    host: {description: The host's name in the inventory., type: str}
    id: {description: The container's full id., type: str}
    name: {description: The container's name., type: str}
    image: {description: The container's image., type: str}
    age_s: {description: The container's age in seconds., type: int}
stale:
  description: The stale containers that are left, on hosts that a guard stops too.
  returned: always
  type: list
  elements: dict
hosts:
  description: Each host's status, error and guard, by its name.
  returned: always
  type: dict
rc:
  description: The exit code of fleetsweep.
  returned: always
  type: int
report:
  description: The whole report of C(fleetsweep sweep --format json).
  returned: if fleetsweep got as far as a report
  type: dict
"""

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule

SCHEMA = "fleetsweep.report/1"
MEANINGS = {
    1: "a bug in fleetsweep",
    2: "usage: nothing was contacted",
    3: "a host was unreachable or unusable, or something was not written",
    4: "a guard tripped",
    5: "a removal failed or is unknown",
    6: "stale containers were found (--fail-on-stale)",
}
NOT_ARGUMENTS = ("--format", "--output", "-o", "--yes", "-y", "--dry-run", "--list-hosts", "--no-dry-run")


def command(params: dict[str, Any], *, check_mode: bool) -> list[str]:
    """Return the command line."""
    words = [params["executable"], "sweep", "--format=json", "--dry-run" if check_mode else "--yes"]
    for option, name in (("inventory", "inventory"), ("limit", "limit"), ("host", "hosts")):
        words += [f"--{option}={value}" for value in params[name]]
    for name in ("expect", "max_age", "cap", "fleet_cap"):
        if params[name] is not None:
            words.append(f"--{name.replace('_', '-')}={params[name]}")
    words += [f"--{name}" for name in ("local", "volumes") if params[name]]
    return words + params["arguments"]


def containers(host: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a host's stale containers, each with its outcome, None before or without a removal."""
    return [
        {"host": host["host"], **{key: each[key] for key in ("id", "name", "image", "age_s", "outcome")}}
        for each in host["decisions"]
        if each["verdict"] == "remove"
    ]


def results(report: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Return the results of a report."""
    every = [each for host in report["hosts"] for each in containers(host)]
    if check_mode:
        stopped = {host["host"] for host in report["hosts"] if host["status"] != "ok" or report["guard"]}
        gone = [each for each in every if each["host"] not in stopped]
    else:
        gone = [each for each in every if each["outcome"] in {"removed", "gone"}]
    removed = gone if check_mode else [each for each in gone if each["outcome"] == "removed"]
    left = [each for each in every if each not in gone]
    return {
        "changed": bool(removed),
        "removed": removed,
        "stale": left,
        "hosts": {host["host"]: {key: host[key] for key in ("status", "error", "guard")} for host in report["hosts"]},
        "report": report,
        "diff": {"before": listed(every), "after": listed(left), "before_header": "stale", "after_header": "stale"},
    }


def listed(found: list[dict[str, Any]]) -> str:
    """Return one line a container."""
    return "".join(f"{each['host']}: {each['name']} {each['id'][:12]}\n" for each in found)


def read(text: str) -> dict[str, Any] | None:
    """Return the report that fleetsweep printed; None if there is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("schema") == SCHEMA else None


def main() -> None:
    """Run the module."""
    texts = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            **dict.fromkeys(("inventory", "limit", "hosts", "arguments"), texts),
            **{name: {"type": "str"} for name in ("expect", "max_age", "cap", "fleet_cap")},
            **{name: {"type": "bool", "default": False} for name in ("local", "volumes")},
            "executable": {"type": "str", "default": "fleetsweep"},
        },
        mutually_exclusive=[("hosts", "limit"), ("local", "inventory"), ("local", "hosts"), ("local", "limit")],
        supports_check_mode=True,
    )
    for word in module.params["arguments"]:
        if word.partition("=")[0] in NOT_ARGUMENTS:
            module.fail_json(msg=f"arguments: {word} is set by the module")
    words = command(module.params, check_mode=module.check_mode)
    code, output, errors = module.run_command(words)
    report = read(output)
    found = results(report, check_mode=module.check_mode or report["dry_run"]) if report else {"changed": False}
    found = {"removed": [], "stale": [], "hosts": {}, **found, "rc": code, "stderr": errors}
    if report is None or code != 0:
        meaning = MEANINGS.get(code, f"stopped by signal {code - 128}" if code > 128 else "no report was printed")
        lines = errors.strip().splitlines()
        module.fail_json(msg=f"fleetsweep exited with {code}: {meaning}" + (f": {lines[-1]}" if lines else ""), **found)
    module.exit_json(**found)


if __name__ == "__main__":
    main()
