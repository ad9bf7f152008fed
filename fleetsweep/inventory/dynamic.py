"""Inventory programs: run under a deadline, with bounded output, and their JSON read into the graph.

https://docs.ansible.com/ansible/latest/dev_guide/developing_inventory.html#developing-inventory-scripts
"""

from __future__ import annotations

import errno
import os
import selectors
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.graph import Graph
from fleetsweep.inventory.yaml_text import parse_json
from fleetsweep.runtime.children import Child

SCRIPT_SECONDS: Final = 30.0
HOSTS_SECONDS: Final = 300.0
"""For all the calls with --host together, where a script has no _meta."""
PLUGIN_SECONDS: Final = 300.0
"""For ansible-inventory: a plugin may ask a slow cloud."""
OUTPUT_LIMIT: Final = 64 * 1024 * 1024
_SAID_LIMIT: Final = 2000


class NotAProgramError(InventoryError):
    """The file has the executable bit and no system runs it: a text that lies on a file system without modes."""


def read_script(path: Path, graph: Graph, *, cwd: Path) -> None:
    """Run an inventory script and add what it answers. Raises InventoryError."""
    where = str(path)
    text = run([where, "--list"], where, cwd=cwd, seconds=SCRIPT_SECONDS)
    by_host_until = time.monotonic() + HOSTS_SECONDS

    def ask(name: str) -> object:
        seconds = min(SCRIPT_SECONDS, by_host_until - time.monotonic())
        if seconds <= 0:
            raise InventoryError(where, f"--host took more than {HOSTS_SECONDS:.0f} s for all: answer _meta to --list")
        answer = run([where, "--host", name], where, cwd=cwd, seconds=seconds)
        return parse_json(answer, f"{where} --host {name}") if answer.strip() else {}

    read_answer(parse_json(text, f"{where} --list"), where, graph, ask)


def read_plugin(path: Path, graph: Graph, *, cwd: Path) -> None:
    """Let ansible-inventory make an inventory of a plugin's configuration. Raises InventoryError."""
    program = shutil.which("ansible-inventory")
    if program is None:
        raise InventoryError(
            str(path), "is for an Ansible inventory plugin: install ansible-core, so that ansible-inventory is on PATH"
        )
    where = f"ansible-inventory -i {path}"
    # Without these it warns of what it can't read, and answers with an empty inventory.
    strict = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True", "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True"}
    command = [program, "-i", str(path), "--list", "--export"]
    text = run(command, where, cwd=cwd, seconds=PLUGIN_SECONDS, environment=strict)
    read_answer(parse_json(text, where), where, graph, None)


def read_answer(answer: object, where: str, graph: Graph, ask: Callable[[str], object] | None) -> None:
    """Add what a script answered to --list; ``ask`` gets one host's variables. Raises InventoryError."""
    if not isinstance(answer, dict):
        raise InventoryError(where, "the answer to --list is not a JSON object")
    meta = _variables_by_host(answer.get("_meta"), where)
    hosts: dict[str, None] = {}
    for name, body in answer.items():
        if name != "_meta":
            hosts.update(dict.fromkeys(_read_group(name, body, where, graph)))
    for host in hosts:
        variables = meta.get(host, {}) if meta is not None else ask(host) if ask else {}
        if not isinstance(variables, dict):
            raise InventoryError(where, f"the variables of {host} are not a JSON object")
        for key, value in variables.items():
            graph.set_variable(host, key, value, where)


def _variables_by_host(meta: object, where: str) -> Mapping[str, object] | None:
    if meta is None:
        return None
    found = meta.get("hostvars") if isinstance(meta, dict) else None
    if not isinstance(found, dict):
        raise InventoryError(where, "_meta holds no hostvars object")
    return found


def _read_group(name: str, body: object, where: str, graph: Graph) -> Sequence[str]:
    """One group of the answer; returns its hosts."""
    group = graph.add_group(name, where)
    if isinstance(body, list):
        body = {"hosts": body}
    elif not isinstance(body, dict):
        raise InventoryError(where, f"group {name} is neither an object nor a list of hosts")
    elif not body.keys() & {"hosts", "vars", "children"}:
        # From Ansible's first days: a host of its own, with these variables.
        body = {"hosts": [name], "vars": body}
    hosts, children, variables = (
        body.get(key, empty) for key, empty in (("hosts", []), ("children", []), ("vars", {}))
    )
    for kind, value in (("hosts", hosts), ("children", children)):
        if not isinstance(value, list):
            raise InventoryError(where, f"{kind} of group {name} is not a list")
    if not isinstance(variables, dict):
        raise InventoryError(where, f"vars of group {name} is not an object")
    named = [graph.add_host(host, group, where) for host in hosts]
    for key, value in variables.items():
        graph.set_variable(name, key, value, where)
    for child in children:
        graph.add_child(group, graph.add_group(child, where), where)
    return named


def run(
    command: Sequence[str], where: str, *, cwd: Path, seconds: float, environment: Mapping[str, str] | None = None
) -> str:
    """A program's standard output. No shell; whatever it started is ended with it. Raises InventoryError."""
    try:
        child = Child(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            environment=environment,
        )
    except OSError as error:
        if error.errno == errno.ENOEXEC:
            raise NotAProgramError(where, "is executable, and no program: remove the executable bit") from error
        raise InventoryError(where, f"can't be run: {error.strerror}") from error
    try:
        said, complained = _collect(child.process, where, seconds)
        status = child.status(5)
    finally:
        child.end()
    if status is None:
        raise InventoryError(where, "closed its output and did not end")
    if status:
        last = complained.decode("utf-8", "replace").strip()[-_SAID_LIMIT:]
        raise InventoryError(
            where, f"ended with status {status}" + (f", saying: {last!r}" if last else ", saying nothing")
        )
    try:
        return said.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InventoryError(where, "answered with something that is not UTF-8 text") from error


def _collect(child: subprocess.Popen[bytes], where: str, seconds: float) -> tuple[bytes, bytes]:
    """Both outputs until they end. Of stderr only the end is kept."""
    assert child.stdout is not None  # noqa: S101 - for the type checker: they are pipes
    assert child.stderr is not None  # noqa: S101
    until = time.monotonic() + seconds
    said, complained = bytearray(), bytearray()
    with selectors.DefaultSelector() as waiting:
        waiting.register(child.stdout, selectors.EVENT_READ, said)
        waiting.register(child.stderr, selectors.EVENT_READ, complained)
        while waiting.get_map():
            left = until - time.monotonic()
            if left <= 0:
                last = complained.decode("utf-8", "replace").strip()[-_SAID_LIMIT:]
                raise InventoryError(
                    where,
                    f"did not end within {seconds:.0f} s" + (f", saying: {last!r}" if last else ": run it by hand"),
                )
            for key, _ in waiting.select(left):
                block = os.read(key.fd, 65536)
                if not block:
                    waiting.unregister(key.fileobj)
                key.data.extend(block)
                if key.data is said and len(said) > OUTPUT_LIMIT:
                    raise InventoryError(where, f"answered with more than {OUTPUT_LIMIT // 1024 // 1024} MiB")
                if key.data is complained:
                    del complained[: -4 * _SAID_LIMIT]
    return bytes(said), bytes(complained)
