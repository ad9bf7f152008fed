"""The tools that fleetsweep is compared with, each configured to do the same job at its best."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.bench_fleet import BenchFleet
from tests.bench.measure import OURS
from tests.lab.process import remove_tree

HERE = Path(__file__).parent
VENV = HERE.parents[1] / ".bench" / "venv"
SCRIPT = HERE / "peer_script.sh"
PACKAGES = ("ansible-core", "pyinfra", "ClusterShell", "parallel-ssh")


@dataclass(frozen=True, slots=True)
class Tool:
    """One way to do the job: ``command`` for so many hosts. ``prints`` what its output must hold, by hosts.

    ``after`` is done after each run and not counted. ``most`` is the number of hosts past which it is left out.
    """

    name: str
    command: Callable[[int], Sequence[str]]
    prints: Callable[[str, int], bool]
    environment: dict[str, str] = field(default_factory=dict)
    after: Callable[[], None] = lambda: None
    most: int = 1000


def install() -> None:
    """The peers into an environment of their own. One that can't be had is missing in the table."""
    if not (VENV / "bin" / "pip").exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    for package in PACKAGES:
        subprocess.run(
            [str(VENV / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", package],
            check=False,
            stderr=subprocess.DEVNULL,
        )


def tools(fleet: BenchFleet, forks: int) -> list[Tool]:
    """Ours, the floor, and every peer, with so many hosts at once."""
    directory = fleet.directory
    script = "\n".join(line for line in SCRIPT.read_text().splitlines() if not line.startswith("#"))
    stale = fleet.stale // len(fleet.hosts)

    def finds(output: str, hosts: int) -> bool:
        # Ansible prints what a script said as a whole, and again by lines.
        return output.count("STALE ws-") in {stale * hosts, 2 * stale * hosts}

    def audited(output: str, hosts: int) -> bool:
        total = output.rpartition("TOTAL")[2].split()
        return total[:1] == [f"{hosts}/{hosts}"] and total[4] == str(stale * hosts)

    def listed(output: str, hosts: int) -> bool:
        return f"LISTED {12 * hosts}\n" in output

    def by_docker(output: str, hosts: int) -> bool:
        return output.count("/ws-") == 2 * stale * hosts

    sockets = [f"{directory}/{name}.sock" for name in fleet.hosts]
    ssh = ["ssh", "-F", str(fleet.ssh_config)]
    (directory / "pyinfra.py").write_text(_pyinfra_inventory(fleet))
    (directory / "pyinfra_deploy.py").write_text(
        "from pyinfra import host\nfrom pyinfra.operations import server\n"
        f"server.shell(commands=['ENGINE={directory}/' + host.name + '.sock\\n' + {script!r}])\n"
    )
    wrapper = directory / "bin" / "ssh"
    wrapper.parent.mkdir(exist_ok=True)
    wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {fleet.ssh_config} "$@"\n')
    wrapper.chmod(0o755)
    path = f"{wrapper.parent}:{VENV}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin"
    ansible = {
        "PATH": path,
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_SSH_COMMON_ARGS": f"-o UserKnownHostsFile={fleet.known_hosts}",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_LOCAL_TEMP": str(directory / "ansible"),
        "ANSIBLE_REMOTE_TEMP": str(directory / "remote"),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(directory / "cp"),
    }
    socket_of = f"{directory}/{{{{ inventory_hostname }}}}.sock"

    def ad_hoc(module: str, arguments: str) -> Callable[[int], list[str]]:
        return lambda hosts: [
            *(
                str(VENV / "bin" / "ansible"),
                "all",
                "-i",
                str(fleet.inventory(hosts)),
                "-f",
                str(min(forks, hosts)),
            ),
            # The names instead of their one address, which ssh_config knows: else all would share one connection.
            *("-e", "ansible_host={{ inventory_hostname }}", "-m", module, "-a", arguments),
        ]

    def end_masters() -> None:
        for control in (directory / "cp").glob("*"):
            subprocess.run(["ssh", "-S", str(control), "-O", "exit", "x"], check=False, capture_output=True)
        remove_tree(directory / "cp")

    def bare(name: str, transport: str) -> Tool:
        words = [sys.executable, "-m", "tests.bench.bare_paramiko", transport, str(fleet.key), str(fleet.port)]
        return Tool(name, lambda hosts: [*words, str(min(forks, hosts)), *sockets[:hosts]], listed)

    return [
        Tool("fleetsweep audit", lambda hosts: [*OURS, "audit", *fleet.options(hosts)], audited),
        bare("bare paramiko loop (connect, list)", "stock"),
        bare("bare loop on fleetsweep's transport", "ours"),
        Tool(
            "parallel-ssh",
            lambda hosts: [
                *(
                    str(VENV / "bin" / "python"),
                    str(HERE / "parallel_ssh.py"),
                    str(fleet.key),
                    str(fleet.port),
                ),
                *(str(forks), str(directory), str(SCRIPT), *fleet.hosts[:hosts]),
            ],
            finds,
        ),
        Tool(
            "pyinfra",
            lambda hosts: [
                *(str(VENV / "bin" / "pyinfra"), "-y", "-vvv", "--parallel", str(min(forks, hosts))),
                str(directory / ("pyinfra.py" if hosts > 1 else "pyinfra1.py")),
                str(directory / "pyinfra_deploy.py"),
            ],
            finds,
            {"PATH": path},
        ),
        Tool(
            "xargs -P + ssh",
            lambda hosts: [
                "sh",
                "-c",
                f"printf '%s\\n' \"$@\" | xargs -P {forks} -I @@ {shlex.join(ssh)} @@ {shlex.quote(script)}",
                "sh",
                *fleet.hosts[:hosts],
            ],
            finds,
        ),
        Tool(
            "clush",
            lambda hosts: [
                *(str(VENV / "bin" / "clush"), "-f", str(forks), "-o", f"-F {fleet.ssh_config}"),
                *("-w", ",".join(fleet.hosts[:hosts]), script),
            ],
            finds,
        ),
        Tool(
            "Ansible raw",
            ad_hoc("raw", f"ENGINE={socket_of}\n{script}"),
            finds,
            {**ansible, "ANSIBLE_SSH_ARGS": "-o ControlMaster=no"},
        ),
        Tool(
            "Ansible script",
            ad_hoc("script", f"{SCRIPT} {socket_of}"),
            finds,
            ansible,
            after=end_masters,
        ),
        Tool(
            "docker -H ssh:// loop",
            lambda hosts: [
                "sh",
                "-c",
                f"printf '%s\\n' \"$@\" | xargs -P {forks} -I @@ sh -c {shlex.quote(_DOCKER)} sh @@",
                "sh",
                *fleet.hosts[:hosts],
            ],
            by_docker,
            {"PATH": path},
            most=20,
        ),
    ]


# The CLI's list has no start times, so each match is inspected.
_DOCKER = (
    "docker -H ssh://$1 ps -aq --no-trunc --filter name=^ws- | xargs docker -H ssh://$1 inspect --format "
    '"{{.State.StartedAt}} {{.Name}}"'
)


def _pyinfra_inventory(fleet: BenchFleet) -> str:
    shared = {
        "ssh_hostname": "127.0.0.1",
        "ssh_port": fleet.port,
        "ssh_user": "root",
        "ssh_key": str(fleet.key),
        "ssh_known_hosts_file": str(fleet.known_hosts),
        "ssh_look_for_keys": False,
        "ssh_allow_agent": False,
    }
    one = fleet.directory / "pyinfra1.py"
    one.write_text(f"hosts = [({fleet.hosts[0]!r}, {shared!r})]\n")
    return f"hosts = [(name, {shared!r}) for name in {list(fleet.hosts)!r}]\n"
