"""One fleet in each form of an inventory: the same boxes are swept, with the same result."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.lab import Lab, Spec

pytestmark = pytest.mark.lab

LEAK = Spec("ws-leak", state="exited", age=timedelta(hours=3))
SLOW = Spec("ws-slow", state="exited", age=timedelta(hours=3))
BYSTANDER = Spec("pg-main", image="postgres:16", state="exited", age=timedelta(days=3))


def shared(lab: Lab) -> dict[str, object]:
    """What holds for every box."""
    return {"ansible_host": "127.0.0.1", "ansible_user": "root", "ansible_ssh_private_key_file": str(lab.client_key)}


def own(lab: Lab) -> dict[str, dict[str, object]]:
    """What each box has for itself. On runner-3 a job may take longer, so nothing there is stale yet."""
    found: dict[str, dict[str, object]] = {
        box.name: {"ansible_port": box.port, "fleetsweep_engine": f"unix://{box.socket}"} for box in lab.boxes
    }
    found["runner-3"]["fleetsweep_max_age"] = "4h"
    return found


def ini(lab: Lab, workdir: Path) -> list[str]:
    lines = ["[runners]"]
    for name, variables in own(lab).items():
        lines.append(" ".join([name, *(f"{key}={value}" for key, value in variables.items())]))
    lines += ["[runners:vars]", *(f"{key}={value}" for key, value in shared(lab).items())]
    (workdir / "hosts").write_text("\n".join([*lines, ""]))
    return ["-i", "hosts", "--known-hosts", str(lab.known_hosts)]


def yaml(lab: Lab, workdir: Path) -> list[str]:
    # JSON is YAML, too: what is a text here stays one.
    lines = ["runners:", f"  vars: {json.dumps(shared(lab))}", "  hosts:"]
    lines += [f"    {name}: {json.dumps(variables)}" for name, variables in own(lab).items()]
    (workdir / "hosts.yml").write_text("\n".join([*lines, ""]))
    return ["-i", "hosts.yml", "--known-hosts", str(lab.known_hosts)]


def script(lab: Lab, workdir: Path) -> list[str]:
    answer = {
        "runners": {"hosts": list(own(lab)), "vars": shared(lab)},
        "_meta": {"hostvars": own(lab)},
    }
    (workdir / "answer.json").write_text(json.dumps(answer))
    program = workdir / "boxes"
    program.write_text(f'#!/bin/sh\n[ "$1" = --list ] && cat {workdir / "answer.json"}\n')
    program.chmod(0o755)
    return ["-i", "boxes", "--known-hosts", str(lab.known_hosts)]


def directory(lab: Lab, workdir: Path) -> list[str]:
    for name in ("group_vars/runners", "host_vars"):
        (workdir / "fleet" / name).mkdir(parents=True)
    (workdir / "fleet/10-names.ini").write_text("[runners]\nrunner-[1:3]\n")
    (workdir / "fleet/20-more.yml").write_text("runners: {hosts: {runner-3: {fleetsweep_max_age: 4h}}}\n")
    (workdir / "fleet/group_vars/runners/ssh.yml").write_text(json.dumps(shared(lab)))
    # This form knows the boxes' keys from its own options, and where the engines are from templates.
    (workdir / "fleet/group_vars/runners/more").write_text(
        f"ansible_ssh_common_args: -o UserKnownHostsFile={lab.known_hosts}\n"
        f"fleetsweep_engine: unix://{lab.directory}/b{{{{ number }}}}/docker.sock\n"
        "number: \"{{ inventory_hostname.split('-')[1] }}\"\n"
    )
    for box in lab.boxes:
        (workdir / f"fleet/host_vars/{box.name}.yml").write_text(f"ansible_port: {box.port}\n")
    return ["-i", "fleet"]


def constructed(lab: Lab, workdir: Path) -> list[str]:
    """Write an inventory whose addresses, ports and groups exist only through a plugin over another source."""
    (workdir / "fleet/group_vars").mkdir(parents=True)
    common = {key: value for key, value in shared(lab).items() if key != "ansible_host"}
    (workdir / "fleet/group_vars/runners.yml").write_text(json.dumps(common))
    (workdir / "fleet/group_vars/slow.yml").write_text("fleetsweep_max_age: 4h\n")
    hosts = {
        box.name: {"private_ip": "127.0.0.1", "ssh": box.port, "socket": str(box.socket), "role": "runners"}
        for box in lab.boxes
    }
    (workdir / "fleet/10-boxes.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    (workdir / "fleet/20-groups.yml").write_text(
        "plugin: ansible.builtin.constructed\nstrict: true\nkeyed_groups: [{key: role, separator: ''}]\n"
        "groups: {slow: inventory_hostname == 'runner-3'}\n"
        "compose: {ansible_host: private_ip, ansible_port: ssh, fleetsweep_engine: \"'unix://' + socket\"}\n"
    )
    return ["-i", "fleet", "-l", "runners", "--known-hosts", str(lab.known_hosts)]


def ad_hoc(lab: Lab, workdir: Path) -> list[str]:
    (workdir / "group_vars").mkdir()
    (workdir / "group_vars/all.json").write_text(
        json.dumps(
            shared(lab)
            | {
                "boxes": own(lab),
                "fleetsweep_engine": "{{ boxes[inventory_hostname].fleetsweep_engine }}",
                "fleetsweep_max_age": "{{ boxes[inventory_hostname].fleetsweep_max_age | default('2h') }}",
            }
        )
    )
    boxes = ",".join(f"{box.name}:{box.port}" for box in lab.boxes)
    return ["-i", f"{boxes},", "--known-hosts", str(lab.known_hosts)]


@pytest.mark.parametrize("form", [ini, yaml, script, directory, constructed, ad_hoc], ids=lambda form: form.__name__)
def test_the_fleet_is_swept_alike_in_every_form_of_its_inventory(
    lab: Lab, run: Run, tmp_path: Path, form: Callable[[Lab, Path], list[str]]
) -> None:
    for box in lab.boxes:
        box.seed([SLOW if box.name == "runner-3" else LEAK, BYSTANDER])
    # ansible-inventory is beside this Python, and writes below ANSIBLE_HOME.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = run(
        "sweep", *form(lab, tmp_path), "--state-dir", str(lab.state), "--yes", "--format", "json",
        environ={"PATH": path, "ANSIBLE_HOME": str(tmp_path / "ansible")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert {key: report["totals"][key] for key in ("hosts", "ok", "matched", "stale", "removed")} == {
        "hosts": 3, "ok": 3, "matched": 3, "stale": 2, "removed": 2
    }  # fmt: skip
    assert [(row["host"], row["status"], row["containers"], row["removed"]) for row in report["hosts"]] == [
        ("runner-1", "ok", 2, 1),
        ("runner-2", "ok", 2, 1),
        ("runner-3", "ok", 2, 0),
    ]
    assert [box.names() for box in lab.boxes] == [{"pg-main"}, {"pg-main"}, {"pg-main", "ws-slow"}]
