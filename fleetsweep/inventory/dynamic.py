"""Run inventory scripts under a deadline, with bounded output, and read their JSON into the graph.

https://docs.ansible.com/ansible/latest/dev_guide/developing_inventory.html#developing-inventory-scripts
"""

from __future__ import annotations

import errno
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from fleetsweep.errors import InventoryError
from fleetsweep.inventory.files import Warnings
from fleetsweep.inventory.graph import Graph
from fleetsweep.inventory.yaml_text import Document, parse_json
from fleetsweep.runtime.children import Child

SCRIPT_SECONDS: Final = 30.0
HOSTS_SECONDS: Final = 300.0
"""Seconds for all calls with --host together, where a script returns no _meta."""
OUTPUT_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of standard output."""
_STDERR_LIMIT: Final = 2000
"""Characters of standard error that an error message quotes."""


class NotAProgramError(InventoryError):
    """The file has the executable bit, but is no program: a text file on a file system without modes."""


def read_script(path: Path, graph: Graph, *, cwd: Path, warnings: Warnings) -> None:
    """Run an inventory script and add its output to the graph. Raises InventoryError."""
    where = str(path)
    text = run([where, "--list"], where, cwd=cwd, seconds=SCRIPT_SECONDS)
    by_host_until = time.monotonic() + HOSTS_SECONDS

    def host_variables(name: str) -> Document:
        seconds = min(SCRIPT_SECONDS, by_host_until - time.monotonic())
        if seconds <= 0:
            raise InventoryError(
                where, f"--host took more than {HOSTS_SECONDS:.0f} s for all hosts: return _meta from --list"
            )
        output = run([where, "--host", name], where, cwd=cwd, seconds=seconds)
        return replace(parse_json(output if output.strip() else "{}", f"{where} --host {name}"), path=where)

    document = replace(parse_json(text, f"{where} --list"), path=where)
    read_output(document, graph, host_variables, warnings)


def read_output(
    document: Document, graph: Graph, host_variables: Callable[[str], Document], warnings: Warnings
) -> None:
    """Add the parsed output of --list; ``host_variables`` returns one host's, where there is no _meta.

    Raises InventoryError.
    """
    output, where = document.value, document.path
    if not isinstance(output, dict):
        raise InventoryError(where, "the output of --list is not a JSON object")
    document.refuse_duplicates(output)
    meta = _variables_by_host(output.get("_meta"), document)
    hosts: dict[str, None] = {}
    for name, body in output.items():
        if name != "_meta":
            hosts.update(dict.fromkeys(_read_group(name, body, document, graph)))
    for host in hosts:
        if meta is not None:
            _set_host_variables(host, meta.get(host, {}), document, graph)
        else:
            own = host_variables(host)
            _set_host_variables(host, own.value, own, graph)
            warnings.duplicates(own)
    warnings.duplicates(document)


def _set_host_variables(host: str, variables: object, document: Document, graph: Graph) -> None:
    if not isinstance(variables, dict):
        raise InventoryError(document.path, f"the variables of {host} are not a JSON object")
    for key, value in variables.items():
        graph.set_variable(host, key, value, document.origin(variables, key))


def _variables_by_host(meta: object, document: Document) -> Mapping[str, object] | None:
    if meta is None:
        return None
    found = meta.get("hostvars") if isinstance(meta, dict) else None
    if not isinstance(found, dict):
        raise InventoryError(document.path, "_meta has no hostvars object")
    document.refuse_duplicates(meta)
    document.refuse_duplicates(found)
    return found


def _read_group(name: str, body: object, document: Document, graph: Graph) -> Sequence[str]:
    """Add one group of the output; return its hosts."""
    where = document.path
    group = graph.add_group(name, where)
    if isinstance(body, list):
        body = {"hosts": body}
    elif not isinstance(body, dict):
        raise InventoryError(where, f"group {name} is neither an object nor a list of hosts")
    elif not body.keys() & {"hosts", "vars", "children"}:
        # Ansible's oldest form: a group that is a host of the same name, with these variables.
        body = {"hosts": [name], "vars": body}
    document.refuse_duplicates(body)
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
        graph.set_variable(name, key, value, document.origin(variables, key))
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
