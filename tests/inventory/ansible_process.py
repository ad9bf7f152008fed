"""Read inventories with Ansible itself, in one child process for many requests.

Importing Ansible takes most of a second, and it prints warnings to stdout. The child reads one request a line, as JSON,
and writes one response a line. The tests' own process imports nothing of Ansible.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

# Variables that Ansible adds to every host. fleetsweep has fields for what it needs of them.
MAGIC = frozenset(
    {
        "ansible_check_mode",
        "ansible_config_file",
        "ansible_diff_mode",
        "ansible_facts",
        "ansible_forks",
        "ansible_inventory_sources",
        "ansible_playbook_python",
        "ansible_verbosity",
        "ansible_version",
        "group_names",
        "groups",
        "inventory_dir",
        "inventory_file",
        "inventory_hostname",
        "inventory_hostname_short",
        "omit",
        "playbook_dir",
    }
)


@dataclass(frozen=True)
class Matched:
    """The hosts of one pattern: as ``--limit`` of all hosts, and in the order in which the pattern matches them."""

    limited: tuple[str, ...] | None
    matched: tuple[str, ...] | None
    error: str | None


@dataclass(frozen=True)
class Seen:
    """One inventory as Ansible reads it: ``hosts`` in its order, ``met`` in the order in which the sources name them.

    ``variables`` have their types spelled out by ``typed``. ``parsed`` is False if Ansible could not read a source,
    ``error`` is the exception that it raised.
    """

    hosts: tuple[str, ...]
    met: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    group_names: Mapping[str, tuple[str, ...]]
    variables: Mapping[str, Mapping[str, object]]
    patterns: Mapping[str, Matched]
    warnings: tuple[str, ...]
    parsed: bool
    error: str | None


def typed(value: object) -> object:
    """Return the value with its types spelled out, so that 1, True, 1.0 and "1" still differ in JSON."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return [_kind(value), repr(value + 0)]
    if isinstance(value, str):
        # Ansible's strings carry tags: make a plain one.
        return str.__str__(value) if type(value) is str else "".join(value)
    return _typed_collection(value)


def _typed_collection(value: object) -> object:
    if isinstance(value, Mapping):
        return ["dict", [[typed(key), typed(item)] for key, item in value.items()]]
    if isinstance(value, (list, tuple)):
        return ["list", [typed(item) for item in value]]
    if isinstance(value, (set, frozenset)):
        return ["set", sorted((typed(item) for item in value), key=repr)]
    kind = "vault" if _kind(value) in {"EncryptedString", "VaultValue"} else _kind(value)
    return [kind, "" if kind == "vault" else str(value)]


def _kind(value: object) -> str:
    """Return the name of the value's built-in type, beneath Ansible's wrapper."""
    for kind in type(value).__mro__:
        if kind.__module__ in {"builtins", "datetime"} and kind is not object:
            return kind.__name__
    return type(value).__name__


class Ansible:
    """The child process. Close it, or use it as a context manager."""

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="fleetsweep-ansible-")
        self._stderr = Path(self._home.name, "stderr")
        configuration = Path(self._home.name, "ansible.cfg")
        configuration.touch()
        kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        with self._stderr.open("w") as stderr:
            self._child = subprocess.Popen(
                [sys.executable, str(Path(__file__))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                encoding="utf-8",
                env=kept | {"ANSIBLE_HOME": self._home.name, "ANSIBLE_CONFIG": str(configuration), "LC_ALL": "C.UTF-8"},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child process."""
        self._child.communicate()
        self._home.cleanup()

    def read(self, sources: Sequence[str], *, cwd: Path, patterns: Sequence[str] = ()) -> Seen:
        """Return the inventory of these ``-i`` sources, read in this working directory."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        request = {"sources": list(sources), "cwd": str(cwd), "patterns": list(patterns)}
        self._child.stdin.write(json.dumps(request) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            self._child.wait(10)
            raise AssertionError(f"Ansible's process has ended: {self._stderr.read_text()[-2000:]}")
        response = json.loads(line)
        return Seen(
            hosts=tuple(response["hosts"]),
            met=tuple(response["met"]),
            groups={name: tuple(members) for name, members in response["groups"].items()},
            group_names={name: tuple(groups) for name, groups in response["group_names"].items()},
            variables=response["variables"],
            patterns={
                pattern: Matched(
                    None if found["limited"] is None else tuple(found["limited"]),
                    None if found["matched"] is None else tuple(found["matched"]),
                    found["error"],
                )
                for pattern, found in response["patterns"].items()
            },
            warnings=tuple(response["warnings"]),
            parsed=response["parsed"],
            error=response["error"],
        )


def _respond(request: Mapping[str, object], warnings: list[str]) -> dict[str, object]:
    """Return the response to a request. Runs in the child process."""
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.plugins.loader import vars_loader
    from ansible.utils.path import unfrackpath
    from ansible.vars.manager import VariableManager

    sources, patterns = request["sources"], request["patterns"]
    assert isinstance(sources, list)
    assert isinstance(patterns, list)
    # Ansible caches which files there are for its process's life. Here each request has its own files.
    caches = type(vars_loader.get("host_group_vars")).get_vars.__globals__
    for cache in ("CANONICAL_PATHS", "FOUND", "NAK"):
        caches[cache].clear()
    os.chdir(str(request["cwd"]))
    empty: dict[str, object] = {
        "hosts": [],
        "met": [],
        "groups": {},
        "group_names": {},
        "variables": {},
        "patterns": {},
    }
    warnings.clear()
    try:
        loader = DataLoader()
        # As Ansible's command line does with -i.
        paths = [source if "," in source else unfrackpath(source, follow=False) for source in sources]
        inventory = InventoryManager(loader=loader, sources=paths)
        manager = VariableManager(loader=loader, inventory=inventory)
        hosts = [host.name for host in inventory.get_hosts("all")]
        variables: dict[str, object] = {}
        names: dict[str, object] = {}
        for name in hosts:
            host = inventory.get_host(name)
            merged = manager.get_vars(host=host, include_hostvars=False, stage="all")
            names[name] = [str(group) for group in merged["group_names"]]
            variables[name] = {str(key): typed(value) for key, value in merged.items() if key not in MAGIC}
        groups = {name: [host.name for host in group.get_hosts()] for name, group in inventory.groups.items()}
        found = {pattern: _matches(inventory, pattern) for pattern in patterns}
    except Exception as error:
        return empty | {"warnings": list(warnings), "parsed": False, "error": f"{type(error).__name__}: {error}"}
    unparsed = any("Unable to parse" in text or "No inventory was parsed" in text for text in warnings)
    return {
        "hosts": hosts,
        "met": list(inventory.hosts),
        "groups": groups,
        "group_names": names,
        "variables": variables,
        "patterns": found,
        "warnings": list(warnings),
        "parsed": not unparsed,
        "error": None,
    }


def _matches(inventory: object, pattern: str) -> dict[str, object]:
    found: dict[str, object] = {"limited": None, "matched": None, "error": None}
    try:
        inventory.subset(pattern)  # type: ignore[attr-defined]
        found["limited"] = [str(host) for host in inventory.list_hosts("all")]  # type: ignore[attr-defined]
        inventory.subset(None)  # type: ignore[attr-defined]
        found["matched"] = [str(host) for host in inventory.list_hosts(pattern)]  # type: ignore[attr-defined]
    except Exception as error:
        found["error"] = f"{type(error).__name__}: {error}"
    finally:
        inventory.subset(None)  # type: ignore[attr-defined]
    return found


def _serve(requests: IO[str], responses: IO[str]) -> None:
    from ansible.plugins.loader import init_plugin_loader
    from ansible.utils.display import Display
    from ansible.vars.plugins import _prime_vars_loader

    warnings: list[str] = []

    def record(_: object, msg: object = "", *__: object, **___: object) -> None:
        warnings.append(str(msg))

    for name in ("warning", "error", "error_as_warning", "deprecated"):
        setattr(Display, name, record)
    init_plugin_loader()
    _prime_vars_loader()
    for line in requests:
        responses.write(json.dumps(_respond(json.loads(line), warnings)) + "\n")
        responses.flush()


if __name__ == "__main__":
    # Ansible writes to stdout, too: keep a copy of the descriptor for the responses alone.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as replies:
        os.dup2(2, 1)
        _serve(sys.stdin, replies)
