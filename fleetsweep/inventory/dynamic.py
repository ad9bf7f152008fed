"""Run inventory scripts and plugins under a deadline, with bounded output, and read their JSON into the graph.

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
"""Seconds for all calls with --host together, where a script returns no _meta."""
PLUGIN_SECONDS: Final = 300.0
"""Seconds for ansible-inventory: a plugin may query a slow cloud API."""
OUTPUT_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of standard output."""
_STDERR_LIMIT: Final = 2000
"""Characters of standard error that an error message quotes."""


class NotAProgramError(InventoryError):
    """The file has the executable bit, but is no program: a text file on a file system without modes."""


def read_script(path: Path, graph: Graph, *, cwd: Path) -> None:
    """Run an inventory script and add its output to the graph. Raises InventoryError."""
    where = str(path)
    text = run([where, "--list"], where, cwd=cwd, seconds=SCRIPT_SECONDS)
    by_host_until = time.monotonic() + HOSTS_SECONDS

    def host_variables(name: str) -> object:
        seconds = min(SCRIPT_SECONDS, by_host_until - time.monotonic())
        if seconds <= 0:
            raise InventoryError(
                where, f"--host took more than {HOSTS_SECONDS:.0f} s for all hosts: return _meta from --list"
            )
        output = run([where, "--host", name], where, cwd=cwd, seconds=seconds)
        return parse_json(output, f"{where} --host {name}") if output.strip() else {}

    read_output(parse_json(text, f"{where} --list"), where, graph, host_variables)


def read_plugin(path: Path, graph: Graph, *, cwd: Path) -> None:
    """Have ansible-inventory build the inventory from a plugin's configuration. Raises InventoryError."""
    program = shutil.which("ansible-inventory")
    if program is None:
        raise InventoryError(
            str(path), "is for an Ansible inventory plugin: install ansible-core, so that ansible-inventory is on PATH"
        )
    where = f"ansible-inventory -i {path}"
    # Without these, ansible-inventory only warns about a source that it can't read, and returns an empty inventory.
    strict = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True", "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True"}
    command = [program, "-i", str(path), "--list", "--export"]
    text = run(command, where, cwd=cwd, seconds=PLUGIN_SECONDS, environment=strict)
    read_output(parse_json(text, where), where, graph, None)


def read_output(output: object, where: str, graph: Graph, host_variables: Callable[[str], object] | None) -> None:
    """Add the parsed output of --list; ``host_variables`` returns one host's, where there is no _meta.

    Raises InventoryError.
    """
    if not isinstance(output, dict):
        raise InventoryError(where, "the output of --list is not a JSON object")
    meta = _variables_by_host(output.get("_meta"), where)
    hosts: dict[str, None] = {}
    for name, body in output.items():
        if name != "_meta":
            hosts.update(dict.fromkeys(_read_group(name, body, where, graph)))
    for host in hosts:
        variables = meta.get(host, {}) if meta is not None else host_variables(host) if host_variables else {}
        if not isinstance(variables, dict):
            raise InventoryError(where, f"the variables of {host} are not a JSON object")
        for key, value in variables.items():
            graph.set_variable(host, key, value, where)


def _variables_by_host(meta: object, where: str) -> Mapping[str, object] | None:
    if meta is None:
        return None
    found = meta.get("hostvars") if isinstance(meta, dict) else None
    if not isinstance(found, dict):
        raise InventoryError(where, "_meta has no hostvars object")
    return found


def _read_group(name: str, body: object, where: str, graph: Graph) -> Sequence[str]:
    """Add one group of the output; return its hosts."""
    group = graph.add_group(name, where)
    if isinstance(body, list):
        body = {"hosts": body}
    elif not isinstance(body, dict):
        raise InventoryError(where, f"group {name} is neither an object nor a list of hosts")
    elif not body.keys() & {"hosts", "vars", "children"}:
        # Ansible's oldest form: a group that is a host of the same name, with these variables.
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
    """Return a program's standard output. No shell; its whole process group ends with it. Raises InventoryError."""
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
            raise NotAProgramError(where, "is executable, but not a program: remove the executable bit") from error
        raise InventoryError(where, f"can't be run: {error.strerror}") from error
    try:
        stdout, stderr = _collect(child.process, where, seconds)
        status = child.status(5)
    finally:
        child.end()
    if status is None:
        raise InventoryError(where, "closed its output but did not exit")
    if status:
        last = stderr.decode("utf-8", "replace").strip()[-_STDERR_LIMIT:]
        raise InventoryError(where, f"exited with status {status}: {repr(last) if last else 'no error output'}")
    try:
        return stdout.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InventoryError(where, "printed output that is not UTF-8 text") from error


def _collect(child: subprocess.Popen[bytes], where: str, seconds: float) -> tuple[bytes, bytes]:
    """Return stdout and the end of stderr, once both are closed. Raises InventoryError at the deadline."""
    assert child.stdout is not None  # noqa: S101 - for the type checker: they are pipes
    assert child.stderr is not None  # noqa: S101
    until = time.monotonic() + seconds
    stdout, stderr = bytearray(), bytearray()
    with selectors.DefaultSelector() as waiting:
        waiting.register(child.stdout, selectors.EVENT_READ, stdout)
        waiting.register(child.stderr, selectors.EVENT_READ, stderr)
        while waiting.get_map():
            left = until - time.monotonic()
            if left <= 0:
                last = stderr.decode("utf-8", "replace").strip()[-_STDERR_LIMIT:]
                raise InventoryError(
                    where,
                    f"did not finish within {seconds:.0f} s: " + (repr(last) if last else "run it by hand"),
                )
            for key, _ in waiting.select(left):
                block = os.read(key.fd, 65536)
                if not block:
                    waiting.unregister(key.fileobj)
                key.data.extend(block)
                if key.data is stdout and len(stdout) > OUTPUT_LIMIT:
                    raise InventoryError(where, f"printed more than {OUTPUT_LIMIT // 1024 // 1024} MiB")
                if key.data is stderr:
                    del stderr[: -4 * _STDERR_LIMIT]
    return bytes(stdout), bytes(stderr)
